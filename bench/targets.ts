/** The services that are compared. All speak the same HTTP API, so a target says only how it is started and entered. */
import { execFile } from 'node:child_process';
import { createHmac, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { CACHE, PEERS, ROOT } from './paths.ts';
import { type Database, environment } from './postgres.ts';
import type { Command } from './service.ts';
import { eventsSettled } from './settled.ts';

export interface Target {
  readonly name: string;
  /** Writes carry a fresh Idempotency-Key, as our clients are told to send. */
  readonly keyed: boolean;
  /** An instant as its API takes it. */
  due(instant: string): unknown;
  /** Installs what it needs; throws when it cannot run here. */
  prepare(): Promise<void>;
  command(database: Database, port: number, dataFolder: string): Command;
  /** Answers an access token for `api`, always of the same user. */
  signIn(api: string): Promise<string>;
  /** Resolves once what requests led to is done, where they lead to anything. */
  readonly settled?: (origin: string) => Promise<void>;
}

/** A connection for each request under way. */
const POOL = '32';
const JWT_SECRET = 'a secret that only this benchmark uses';
const PRINCIPAL = '01980000-0000-7000-8000-000000000001';
const run = promisify(execFile);

const taskwire: Target = {
  name: 'Taskwire',
  keyed: true,
  due: (at) => ({ at }),
  async prepare() {},
  command: (database, port, dataFolder) => ({
    command: process.execPath,
    args: ['bin/taskwire.js', 'start'],
    cwd: ROOT,
    env: { ...environment(database), ...listening(port), DATA_DIR: dataFolder },
  }),
  async signIn(api) {
    const user = { email: 'bench@example.com', username: 'bench', password: 'correct horse battery staple' };
    const registered = await post(`${api}/auth/register`, user);
    if (!registered.ok && registered.status !== 409) throw new Error(`register answered ${await registered.text()}`);
    const session = await post(`${api}/auth/login`, { email: user.email, password: user.password });
    const answer: unknown = await session.json();
    if (typeof answer !== 'object' || answer === null || !('accessToken' in answer)) {
      throw new Error(`login answered ${session.status} ${JSON.stringify(answer)}`);
    }
    return String(answer.accessToken);
  },
  settled: eventsSettled,
};

const fastapi: Target = {
  name: 'FastAPI',
  keyed: false,
  due: (instant) => instant,
  async prepare() {
    await installOnce(`${PEERS}/fastapi/requirements.txt`, 'fastapi', async (requirements) => {
      await run('python3', ['-m', 'venv', '--clear', `${CACHE}/venv`]);
      await run(`${CACHE}/venv/bin/pip`, ['install', '--no-deps', '--quiet', '--requirement', requirements]);
    });
  },
  command: (database, port) => ({
    command: `${CACHE}/venv/bin/uvicorn`,
    args: ['main:app', '--port', String(port), '--loop', 'uvloop', '--http', 'httptools', '--no-access-log'],
    cwd: `${PEERS}/fastapi`,
    env: { ...environment(database), DB_POOL: POOL, JWT_SECRET },
  }),
  signIn: async () => token(),
};

const emmett: Target = {
  name: 'Emmett',
  keyed: false,
  due: (instant) => instant,
  async prepare() {
    await installOnce(`${PEERS}/emmett/package-lock.json`, 'emmett', async () => {
      await run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: `${PEERS}/emmett` });
    });
  },
  command: (database, port) => ({
    command: process.execPath,
    args: ['server.ts'],
    cwd: `${PEERS}/emmett`,
    env: { ...environment(database), ...listening(port), DB_POOL: POOL, JWT_SECRET, NODE_ENV: 'production' },
  }),
  signIn: async () => token(),
};

export const TARGETS = { ours: taskwire, peers: [fastapi, emmett] };

export const listening = (port: number) => ({
  HOST: '127.0.0.1',
  PORT: String(port),
  RATE_LIMITS: 'off',
  LOG_LEVEL: 'warn',
});

const post = (url: string, body: object): Promise<Response> =>
  fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });

/** HS256, the cheapest of the signatures to check: the peers are not to be slowed by the choice of ours. */
function token(): string {
  const claims = { sub: PRINCIPAL, jti: randomUUID(), exp: Math.floor(Date.now() / 1000) + 3600 };
  const text = [{ alg: 'HS256', typ: 'JWT' }, claims].map((part) => encode(JSON.stringify(part))).join('.');
  return `${text}.${createHmac('sha256', JWT_SECRET).update(text).digest('base64url')}`;
}

const encode = (text: string): string => Buffer.from(text).toString('base64url');

/** Runs `install` unless it ran before for the same content of `file`. */
async function installOnce(file: string, name: string, install: (file: string) => Promise<void>): Promise<void> {
  const stamp = `${CACHE}/${name}.installed`;
  const wanted = await readFile(file, 'utf8');
  if (existsSync(stamp) && (await readFile(stamp, 'utf8')) === wanted) return;
  try {
    await install(file);
  } catch (error) {
    throw new Error(`its installation failed: ${error}`, { cause: error });
  }
  await writeFile(stamp, wanted);
}
