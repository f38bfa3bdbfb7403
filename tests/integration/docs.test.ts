/** What the product says of itself: where to begin, its API, how it is; all of it without asking another host. */
import { globSync, readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { formats } from '../../src/platform/schema/formats.ts';
import { startTestApp, type TestApp } from '../support/app.ts';
import { until } from '../support/until.ts';

type Operation = {
  operationId: string;
  summary: string;
  tags: string[];
  security?: object[];
  parameters?: { name: string; in: string; schema: object }[];
  requestBody?: { content: Record<string, { schema: object }> };
  responses: Record<string, { description: string; content?: Record<string, { schema: object }> }>;
};
type OpenApi = {
  openapi: string;
  tags: { name: string }[];
  servers: { url: string }[];
  paths: Record<string, Record<string, Operation>>;
};

const ORIGIN = 'https://app.example.org';
let product: TestApp;
let openapi: OpenApi;
let operations: { path: string; method: string; operation: Operation }[];
beforeAll(async () => {
  product = await startTestApp({ CORS_ORIGINS: ORIGIN });
  await until('its consumers to begin', async () => (await product.ask('GET', '/health')).body.status === 'ok');
  openapi = (await product.ask('GET', '/openapi.json')).body;
  operations = Object.entries(openapi.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ path, method, operation })),
  );
});
afterAll(() => product.close());

/** `METHOD /path/{id}` of each route under /api, out of the tree that Fastify draws of them. */
const routesOf = (tree: string): readonly string[] => {
  const branch: string[] = [];
  return tree.split('\n').flatMap((line) => {
    const [, indent = '', part = '', methods = ''] = /^(.*?)[└├]── (\S*)(?: \((.*)\))?$/.exec(line) ?? [];
    const depth = indent.length / 4;
    branch.splice(depth, Number.POSITIVE_INFINITY, part);
    const url = branch.join('').replace(/:(\w+)/g, '{$1}');
    const served = methods.split(', ').filter((method) => method !== 'HEAD' && method !== '');
    return url.startsWith('/api/') ? served.map((method) => `${method} ${url}`) : [];
  });
};

describe('OpenAPI', () => {
  test('is 3.1 and describes every route of the API, and nothing else', () => {
    expect(openapi.openapi).toBe('3.1.0');
    expect(openapi.servers).toEqual([{ url: product.config.PUBLIC_URL }]);
    const served = routesOf(product.app.http.printRoutes({ commonPrefix: false }));
    const described = operations.map(({ path, method }) => `${method.toUpperCase()} ${path}`);
    expect(described.length).toBeGreaterThan(15);
    expect(described.toSorted()).toEqual(served.toSorted());
  });

  test('gives each operation a name of its own, words, parameters for its path, and answers', () => {
    const names = operations.map(({ operation }) => operation.operationId);
    expect(new Set(names).size).toBe(names.length);
    for (const { path, operation } of operations) {
      expect(operation.summary).toMatch(/\S/);
      const inPath = (operation.parameters ?? []).filter((parameter) => parameter.in === 'path');
      expect(inPath.map(({ name }) => `{${name}}`)).toEqual(path.match(/\{\w+\}/g) ?? []);
      expect(Object.keys(operation.responses)).toEqual(expect.arrayContaining(['400', '422', '500', '503']));
      expect(Object.keys(operation.responses).some((status) => status.startsWith('2'))).toBe(true);
    }
  });

  test('calls a write as the domain calls its command: traces and figures go by these names', () => {
    const files = globSync('src/services/*/domain/*.ts').filter((file) => !file.endsWith('.test.ts'));
    const sources = files.map((file) => readFileSync(file, 'utf8'));
    const commands = sources.flatMap((text) => [...text.matchAll(/\btype: '([A-Z]\w+)'/g)].map(([, name]) => name));
    const writes = operations.filter(({ method }) => method !== 'get').map(({ operation }) => operation.operationId);
    const notOne = ['readAll']; // an UpdateInboxEntry for each entry
    const expected = writes
      .filter((name) => !notOne.includes(name))
      .map((name) => name.replace(/^./, (first) => first.toUpperCase()));
    expect(expected.length).toBeGreaterThan(10);
    expect(expected.filter((name) => !commands.includes(name))).toEqual([]);
  });

  test('asks for a token where the product does', async () => {
    for (const { path, method, operation } of operations) {
      const url = path.replace('{id}', '01939d5e-0000-7000-8000-00000000dead');
      const { status } = await product.ask(method.toUpperCase(), url);
      expect({ path, method, guarded: status === 401 }).toEqual({ path, method, guarded: Boolean(operation.security) });
      expect({ path, method, told: '401' in operation.responses && path !== '/api/v1/auth/login' }).toEqual({
        path,
        method,
        told: Boolean(operation.security),
      });
    }
  });

  test('says what each group of operations is about, and of no group that has none', () => {
    const used = new Set(operations.flatMap(({ operation }) => operation.tags));
    expect([...used].toSorted()).toEqual(openapi.tags.map(({ name }) => name).toSorted());
  });

  const describes = ({ parameters = [] }: Operation, header: string) =>
    parameters.some((one) => one.in === 'header' && one.name === header);

  test('asks for a version where the product minds it', async () => {
    const somebody = await product.person();
    const { body: task } = await somebody.ask('POST', '/api/v1/tasks', { body: { title: 'Drink tea' } });
    const { body: category } = await somebody.ask('POST', '/api/v1/categories', { body: { name: 'Home' } });
    const minds: boolean[] = [];
    for (const { path, method, operation } of operations.filter(({ operation }) => operation.security)) {
      const url = path.replace('{id}', (path.includes('/tasks/') ? task : category).id);
      const body = operation.requestBody && { body: {} };
      const written = await somebody.ask(method.toUpperCase(), url, { ...body, headers: { 'if-match': 'nonsense' } });
      const isRefused = written.body.code === 'invalid-if-match';
      expect([method, path, describes(operation, 'if-match')]).toEqual([method, path, isRefused]);
      minds.push(isRefused);
      if (method !== 'get') continue;
      const read = await somebody.ask('GET', url, { headers: { 'if-none-match': '*' } });
      if (read.status < 400) expect([path, describes(operation, 'if-none-match')]).toEqual([path, read.status === 304]);
    }
    expect(new Set(minds).size).toBe(2);
  });

  test('asks for no header that a page of another origin may not send', async () => {
    const { headers } = await product.ask('OPTIONS', '/api/v1/tasks', {
      headers: { origin: ORIGIN, 'access-control-request-method': 'POST' },
    });
    const allowed = String(headers['access-control-allow-headers']).toLowerCase().split(', ');
    const asked = operations.flatMap(({ operation: { parameters = [] } }) =>
      parameters.filter((one) => one.in === 'header').map(({ name }) => name.toLowerCase()),
    );
    expect(new Set(asked)).toContain('consistency-token');
    expect(allowed, 'which is told of in words').toContain('x-deadline-ms');
    expect(asked.filter((name) => !allowed.includes(name))).toEqual([]);
  });

  test('holds only schemas that JSON Schema 2020-12 knows', () => {
    const ajv = new Ajv2020({
      strict: true,
      allowUnionTypes: true,
      formats: { ...formats, 'date-time': formats.instant },
      keywords: ['x-no-body', 'example'],
    });
    const schemas = operations.flatMap(({ operation: { parameters = [], requestBody, responses } }) => [
      ...parameters.map(({ schema }) => schema),
      ...Object.values(requestBody?.content ?? {}).map(({ schema }) => schema),
      ...Object.values(responses).flatMap(({ content = {} }) => Object.values(content).map(({ schema }) => schema)),
    ]);
    expect(schemas.length).toBeGreaterThan(100);
    for (const schema of schemas) expect(() => ajv.compile(schema)).not.toThrow();
  });
});

test('the page at /docs and all that it loads come from here', async () => {
  const first = await product.ask('GET', '/docs');
  const page = first.status === 200 ? first : await product.ask('GET', String(first.headers.location));
  expect(page.status).toBe(200);
  expect(page.headers['content-type']).toMatch(/^text\/html/);
  const policy = String(page.headers['content-security-policy']);
  const sources = policy.split(';').flatMap((directive) => directive.trim().split(' ').slice(1));
  const local = ["'self'", "'none'", "'unsafe-inline'", "'unsafe-eval'", 'data:', 'blob:'];
  expect(sources.filter((source) => !local.includes(source))).toEqual([]);
  expect(policy).toContain("default-src 'self'");

  const loaded = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, url]) => url);
  expect(loaded.length).toBeGreaterThan(0);
  for (const url of loaded) {
    const asset = new URL(url, 'http://here/docs/');
    expect(asset.host).toBe('here');
    expect((await product.ask('GET', asset.pathname)).status).toBe(200);
  }
});

test('/ leads a browser on, and every link on it leads somewhere', async () => {
  const page = await product.ask('GET', '/');
  expect(page.headers['content-type']).toMatch(/^text\/html/);
  const links = [...page.body.matchAll(/href="([^"]+)"/g)].map(([, url]) => url);
  expect(links).toEqual(expect.arrayContaining(['/docs', '/openapi.json', '/health', '/problems', '/dev/mailbox']));
  for (const link of links) expect((await product.ask('GET', link)).status).toBeLessThan(400);
});

const DATABASES = ['db.notification', 'db.task', 'db.user'];
const EVENTS = ['events.notification', 'events.notification.mails'];
const CACHE = inject('named')?.REDIS_HOST === undefined ? [] : ['cache'];
test.each<[string, string[]]>([
  ['/health', [...CACHE, ...DATABASES, ...EVENTS]],
  ['/health/db', DATABASES],
  ['/health/events', EVENTS],
  ['/health/ready', DATABASES],
  ['/health/live', []],
])('%s says that all is well', async (url, parts) => {
  // A part that needs longer than a second is not well, and a busy machine may be why.
  const { status, body } = await until('all to be well', async () => {
    const answer = await product.ask('GET', url);
    return answer.body.status === 'ok' ? answer : undefined;
  });
  expect(status).toBe(200);
  expect(Object.keys(body.parts ?? {}).toSorted()).toEqual(parts);
});

test('the key set shows the public halves of the keys alone', async () => {
  const { keys } = (await product.ask('GET', '/.well-known/jwks.json')).body;
  expect(keys).toEqual([
    {
      kty: 'EC',
      crv: 'P-256',
      alg: 'ES256',
      use: 'sig',
      x: expect.any(String),
      y: expect.any(String),
      kid: expect.any(String),
    },
  ]);
});
