/**
 * A setting that holds a secret, or several while one takes another's place: with commas between, newest first. The first
 * makes what is new; each recognises what it made.
 */
import { createHash, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';

type NewestFirst<T> = readonly [newest: T, ...older: T[]];

/** The secrets of a setting, which has them with commas between. A setting without any gives one empty secret. */
export const secretsIn = (setting: string): NewestFirst<string> => {
  const [newest = '', ...older] = setting.split(',');
  return [newest, ...older];
};

/** A key from each secret. What it makes for one purpose opens for no other. */
export const keysFor = (setting: string, purpose: string): NewestFirst<KeyObject> => {
  const derive = (secret: string) => createSecretKey(Buffer.from(hkdfSync('sha256', secret, 'taskwire', purpose, 32)));
  const [newest, ...older] = secretsIn(setting);
  return [derive(newest), ...older.map(derive)];
};

/** Which secret it is, without telling it. Stands in stored password hashes: never to be made in another way. */
export const secretId = (secret: string): string => createHash('sha256').update(secret).digest('base64url').slice(0, 8);
