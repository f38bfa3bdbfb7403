/** Secrets that were not given are made once and kept under DATA_DIR, readable by their owner only. */
import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { link, mkdir, readFile, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type Config, ConfigurationError } from './config.ts';

export type Secrets = {
  /** A JWK set of private ES256 keys as JSON; the first signs. */
  readonly jwtPrivateKeys: string;
  /** One secret, or several (keys/secret-list.ts). */
  readonly masterKey: string;
  /** As many. */
  readonly passwordPepper: string;
};

/** The secrets that a process uses; none else is made, so that one that is given all it uses needs no DATA_DIR. */
export const readSecrets = async <Name extends keyof Secrets = keyof Secrets>(
  config: Config,
  ...used: readonly Name[]
): Promise<Pick<Secrets, Name>> => {
  const names = used.length > 0 ? used : ALL;
  const isGiven = names.every((name) => config[SETTINGS[name]] !== undefined);
  const kept = isGiven ? undefined : await keptSecrets(config.DATA_DIR);
  return Object.fromEntries(names.map((name) => [name, config[SETTINGS[name]] ?? kept?.[name]])) as Pick<Secrets, Name>;
};
const SETTINGS = {
  jwtPrivateKeys: 'JWT_PRIVATE_KEYS',
  masterKey: 'MASTER_KEY',
  passwordPepper: 'PASSWORD_PEPPER',
} as const satisfies Record<keyof Secrets, keyof Config>;
type Setting = (typeof SETTINGS)[keyof Secrets];
const ALL = ['jwtPrivateKeys', 'masterKey', 'passwordPepper'] as const;

/** The settings of those that readSecrets would make. */
export const missingSecrets = (config: Config, ...used: readonly (keyof Secrets)[]): readonly Setting[] => {
  const names = used.length > 0 ? used : ALL;
  const missing = names.map((name) => SETTINGS[name]).filter((setting) => config[setting] === undefined);
  return missing.length === 0 || existsSync(fileIn(config.DATA_DIR)) ? [] : missing;
};

const fileIn = (dataDir: string): string => path.join(dataDir, 'secrets.json');

const keptSecrets = async (dataDir: string): Promise<Secrets> => {
  const file = fileIn(dataDir);
  const draft = `${file}.${randomUUID()}`;
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  try {
    return await readKept(file);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
  await writeFile(draft, JSON.stringify(madeSecrets(), undefined, 2), { mode: 0o600, flush: true });
  try {
    await link(draft, file); // of two processes that start at once, one wins, and both read what it wrote
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  } finally {
    await unlink(draft);
  }
  return readKept(file);
};

/** Throws ConfigurationError for a file that is not as it was written; a parser's message would quote what is in it. */
const readKept = async (file: string): Promise<Secrets> => {
  const text = await readFile(file, 'utf8');
  try {
    return JSON.parse(text) as Secrets;
  } catch {
    throw new ConfigurationError(
      `${file} is damaged; take it back from a backup, for what it sealed cannot be read without it`,
    );
  }
};

const madeSecrets = (): Secrets => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), alg: 'ES256', use: 'sig' };
  return {
    jwtPrivateKeys: JSON.stringify({ keys: [key] }),
    masterKey: randomBytes(32).toString('base64url'),
    passwordPepper: randomBytes(32).toString('base64url'),
  };
};
