/** A gateway that listens, in front of small real servers that do what a test wants of a service. */
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { buildGateway } from '../../src/gateway/gateway.ts';
import { createTokenIssuer, type TokenIssuer } from '../../src/platform/auth/tokens.ts';
import { parseConfig } from '../../src/platform/config/config.ts';
import { createLogger } from '../../src/platform/telemetry/logger.ts';
import { freePort } from '../support/free-port.ts';

type Seen = {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
};
export type StandIn = {
  readonly url: string;
  readonly port: number;
  /** The requests that came, but for those that ask how it is. */
  readonly seen: Seen[];
  /** What it does with them; by default it answers `{}`. */
  handle: (request: IncomingMessage, response: ServerResponse, seen: Seen) => void;
  ready: boolean;
  /** What it says of its parts. */
  health: unknown;
  /** Ends all connections and listens no more. */
  stop(): Promise<void>;
  /** Listens again, where it did. */
  start(): Promise<void>;
};

const key = { ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }), kid: 'one' };
const ISSUER = 'http://localhost:8000';
const issuer: Promise<TokenIssuer> = createTokenIssuer(JSON.stringify({ keys: [key] }), ISSUER);
export const newToken = async (userId: string = randomUUID()): Promise<string> =>
  (await issuer).issue({ userId, sessionId: randomUUID(), roles: [] }, new Date(), randomUUID());

export const answerJson = (response: ServerResponse, status: number, body: unknown = {}): void =>
  void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));

/** A service that is there: it says that it is ready, and whose tokens are good. */
export const standIn = async (host = '127.0.0.1', onPort?: number): Promise<StandIn> => {
  const { keySet } = await issuer;
  const seen: Seen[] = [];
  let server: Server | undefined;
  const port = onPort ?? (await freePort()); // that nobody gets while it is away
  const listener: RequestListener = (request, response) => {
    if (request.url === '/health/ready') return answerJson(response, one.ready ? 200 : 503);
    if (request.url?.startsWith('/health')) return answerJson(response, 200, one.health);
    if (request.url === '/.well-known/jwks.json') return answerJson(response, 200, keySet);
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('error', () => undefined);
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      const entry = { method, url, headers, body: Buffer.concat(parts).toString() };
      seen.push(entry);
      one.handle(request, response, entry);
    });
  };
  const start = async () => {
    server = createServer(listener).listen(port, host);
    await once(server, 'listening');
  };
  await start();
  const one: StandIn = {
    seen,
    start,
    port,
    url: `http://${host}:${port}`,
    handle: (_request, response) => answerJson(response, 200),
    ready: true,
    health: { status: 'ok', parts: {} },
    stop: async () => {
      const stopped = new Promise<unknown>((resolve) => {
        server?.close(resolve);
      });
      server?.closeAllConnections();
      await stopped;
    },
  };
  return one;
};

const NOWHERE = 'http://127.0.0.1:1';

/** Which services are there is up to the test; the others are at an address where nobody listens. */
export const openGateway = async (
  where: { readonly user?: string; readonly task?: string; readonly notification?: string },
  environment: Readonly<Record<string, string>> = {},
  lookUp?: Parameters<typeof buildGateway>[2],
) => {
  const config = parseConfig(
    {
      NODE_ENV: 'test',
      PUBLIC_URL: ISSUER,
      USER_SERVICE_URL: where.user ?? NOWHERE,
      TASK_SERVICE_URL: where.task ?? NOWHERE,
      NOTIFICATION_SERVICE_URL: where.notification ?? NOWHERE,
      RATE_LIMITS: 'off',
      ...environment,
    },
    'gateway',
  );
  const gateway = await buildGateway(config, createLogger('silent'), lookUp);
  const url = await gateway.http.listen({ host: '127.0.0.1', port: 0 });
  return { ...gateway, url, port: Number(new URL(url).port) };
};
