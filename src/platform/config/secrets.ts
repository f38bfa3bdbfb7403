/** Secrets that were not given are made once and kept under DATA_DIR, readable by their owner only. */
import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
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
  const { JWT_PRIVATE_KEYS, MASTER_KEY, PASSWORD_PEPPER } = config;
  const given = { jwtPrivateKeys: JWT_PRIVATE_KEYS, masterKey: MASTER_KEY, passwordPepper: PASSWORD_PEPPER };
  const names = used.length > 0 ? used : ALL;
  const kept = names.every((name) => given[name] !== undefined) ? undefined : await keptSecrets(config.DATA_DIR);
  return Object.fromEntries(names.map((name) => [name, given[name] ?? kept?.[name]])) as Pick<Secrets, Name>;
};
const ALL = ['jwtPrivateKeys', 'masterKey', 'passwordPepper'] as const;

const keptSecrets = async (dataDir: string): Promise<Secrets> => {
  const file = path.join(dataDir, 'secrets.json');
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
