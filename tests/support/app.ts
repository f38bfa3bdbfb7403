/** The whole product on a database of its own, to be asked over HTTP without a port. */
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { inject } from 'vitest';
import { type App, buildApp } from '../../src/app.ts';
import { type Config, parseConfig } from '../../src/platform/config/config.ts';
import { readSecrets, type Secrets } from '../../src/platform/config/secrets.ts';
import { createLogger } from '../../src/platform/telemetry/logger.ts';
import { createTestDatabase, type TestDatabase } from './database.ts';
import { served } from './served.ts';

/** `body` is what JSON.parse makes of it: a test looks at it as a client would, without our types. */
export type Answer = {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly body: ReturnType<typeof JSON.parse>;
};
export type Ask = (method: string, url: string, options?: AskOptions) => Promise<Answer>;
type AskOptions = {
  readonly body?: unknown;
  readonly raw?: string | Buffer;
  readonly headers?: Record<string, string>;
  readonly token?: string;
};

export type TestApp = {
  readonly app: App;
  readonly config: Config;
  readonly secrets: Secrets;
  readonly database: TestDatabase;
  readonly ask: Ask;
  /** Registers and logs in somebody new; their `ask` carries the token. */
  person(
    name?: string,
  ): Promise<{ readonly id: string; readonly token: string; readonly email: string; readonly ask: Ask }>;
  close(): Promise<void>;
};

export const PASSWORD = 'correct horse battery';

/** Of `npm run test:integration`. A broker is none of an app's: what several have said would lie in one topic. */
const namedRedis = (): Record<string, string> => {
  const { KAFKA_BOOTSTRAP_SERVERS: _, ...redis } = inject('named') ?? {};
  return redis;
};

export const startTestApp = async (environment: Record<string, string> = {}): Promise<TestApp> => {
  const database = await createTestDatabase();
  const dataDir = path.join(tmpdir(), `taskwire-app-${randomUUID()}`);
  const config = parseConfig({
    NODE_ENV: 'test',
    DATA_DIR: dataDir,
    PASSWORD_COST: '4',
    LOG_LEVEL: 'silent',
    RATE_LIMITS: 'off',
    ...namedRedis(),
    ...environment,
  });
  const secrets = await readSecrets(config);
  const app = await buildApp(config, secrets, database.address, createLogger(config.LOG_LEVEL));
  await app.start();
  const ask = asking(app);
  return {
    app,
    config,
    secrets,
    database,
    ask,
    person: async (name = `p${randomUUID().slice(0, 8)}`) => {
      const email = `${name}@example.org`;
      const registering = { email, username: name, password: PASSWORD };
      const registered = await served(() => ask('POST', '/api/v1/auth/register', { body: registering }));
      if (registered.status !== 201) throw new Error(`registering ${name}: ${JSON.stringify(registered.body)}`);
      const login = await served(() => ask('POST', '/api/v1/auth/login', { body: { email, password: PASSWORD } }));
      if (login.status !== 200) throw new Error(`logging in: ${JSON.stringify(login.body)}`);
      const token = login.body.accessToken;
      return { id: registered.body.id, token, email, ask: asking(app, token) };
    },
    close: async () => {
      await app.close();
      await database.drop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
};

/** Asks one process, as whoever has the token. */
export const asking =
  (app: App, as?: string): Ask =>
  async (method, url, { body, raw, headers = {}, token = as } = {}) => {
    const payload = raw ?? (body === undefined ? undefined : JSON.stringify(body));
    const response = await app.http.inject({
      method: method as 'GET',
      url,
      headers: {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(payload !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(payload !== undefined && { payload }),
    });
    const isJson = String(response.headers['content-type']).includes('json') && response.body !== '';
    return { status: response.statusCode, headers: response.headers, body: isJson ? response.json() : response.body };
  };
