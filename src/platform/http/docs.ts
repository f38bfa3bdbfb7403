/** The API's own description: OpenAPI 3.1 from the schemas that validate, a page over it, a page for each problem. */
import swagger from '@fastify/swagger';
import Fastify, { type FastifyInstance } from 'fastify';
import { CONSISTENCY_TOKEN, LONGEST_TOKENS } from './consistency.ts';
import { IDEMPOTENCY_KEY_PATTERN } from './idempotency.ts';
import { page } from './page.ts';
import { PLATFORM_PROBLEMS, type ProblemTable, refuse } from './problems.ts';
import type { HttpApp } from './server.ts';

export type ApiDescription = {
  readonly title: string;
  readonly version: string;
  readonly description: string;
  readonly server: string;
  /** What its operations are about, by the names that they give it. */
  readonly tags: readonly { readonly name: string; readonly description: string }[];
};

/** Must be registered before the routes, so that it sees them. */
export const describeRoutes = async (
  app: HttpApp,
  { title, version, description, server, tags }: ApiDescription,
): Promise<void> => {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title, version, description, license: { name: 'MIT', identifier: 'MIT' } },
      servers: [{ url: server }],
      tags: [...tags],
      components: { securitySchemes: { accessToken: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } } },
    },
    transform: ({ schema, url, route }) => {
      const { body, ...rest } = schema ?? {};
      const access = route.config?.access === 'public' ? {} : { security: [{ accessToken: [] }] };
      const hasBody = body !== undefined && !(typeof body === 'object' && body !== null && 'x-no-body' in body);
      const headers = headersOf(String(route.method), 'security' in access, rest.response);
      const response = answersOf(String(route.method), rest.response);
      return { schema: { ...rest, ...(hasBody && { body }), headers, ...access, response }, url };
    },
    transformObject: (document) => ('openapiObject' in document ? forClients(document.openapiObject) : {}),
  });
};

const IDEMPOTENCY_KEY = {
  type: 'string',
  pattern: IDEMPOTENCY_KEY_PATTERN,
  description: 'the same key and request are carried out once and answered alike for 24 hours',
};
const IF_MATCH = {
  type: 'string',
  pattern: '^("[0-9]{1,9}"|\\*)$',
  description: 'the ETag that must still hold, else 412',
};
const TOKEN_OF_A_WRITE = {
  type: 'string',
  maxLength: LONGEST_TOKENS,
  pattern: '^[A-Za-z0-9_-]+( *, *[A-Za-z0-9_-]+)*$',
  description:
    'the Consistency-Token of a write, or several with commas between: answers once what was written is known here, else 503 projection-behind after 2 s',
};
const TOKEN_OF_THIS_WRITE = {
  type: 'string',
  description: 'where this write lies; send it back with a read of any service, and it shows what was written',
};
const IF_NONE_MATCH = { type: 'string', description: 'the ETags that are known: 304 if one of them holds' };

const isRead = (method: string): boolean => method === 'GET' || method === 'HEAD';
/** What the kit adds to a route's answers: a token to those of a write that is done, to a read's that it waited in vain. */
const answersOf = (method: string, response: unknown): object => {
  const behind = `  \n\`projection-behind\`: ${PLATFORM_PROBLEMS['projection-behind'].title}`;
  const answers = Object.entries(response ?? {}).map(([status, answer]) => {
    if (isRead(method))
      return [status, status === '503' ? { ...answer, description: answer.description + behind } : answer];
    const headers = { [CONSISTENCY_TOKEN]: TOKEN_OF_THIS_WRITE };
    return [status, status.startsWith('2') ? { ...answer, headers } : answer];
  });
  return Object.fromEntries(answers);
};

/** The headers that the kit reads of every route; those about versions, where its answers tell that it has some. */
const headersOf = (method: string, guarded: boolean, response: unknown): object => {
  const reads = isRead(method);
  const answers = Object.keys(response ?? {});
  const properties = {
    ...(guarded && !reads && { 'idempotency-key': IDEMPOTENCY_KEY }),
    ...(answers.includes('412') && { 'if-match': IF_MATCH }),
    ...(answers.includes('304') && { 'if-none-match': IF_NONE_MATCH }),
    ...(reads && { [CONSISTENCY_TOKEN]: TOKEN_OF_A_WRITE }),
  };
  return { type: 'object', properties };
};

/** What validates, in the words that clients' tools know: a parameter with a default may be left out, an instant is a date-time. */
const forClients = <Document extends object>(document: Document): Document =>
  JSON.parse(
    JSON.stringify(document, (_key, value) => {
      if (typeof value !== 'object' || value === null) return value;
      if ('in' in value && value.schema?.default !== undefined) return { ...value, required: false };
      return value.format === 'instant' ? { ...value, format: 'date-time' } : value;
    }),
  );

export type Described = {
  readonly title: string;
  readonly openapi: () => Promise<object>;
  /** Every code that may be met here beyond the platform's. */
  readonly problems: () => Promise<ProblemTable>;
};

/**
 * Mounts the pages and documents about the API, for everybody: /docs, /openapi.json, /problems. The reference is made
 * at the first visit.
 */
export const serveDocs = (app: HttpApp, { title, openapi, problems }: Described): void => {
  const hidden = { config: { access: 'public' as const }, schema: { hide: true } };
  app.get('/openapi.json', hidden, openapi);

  let reference: Promise<FastifyInstance> | undefined;
  const docs = async (request: { raw: import('node:http').IncomingMessage }, reply: import('fastify').FastifyReply) => {
    reference ??= openReference(title).catch((error: unknown) => {
      reference = undefined; // the next visit tries anew
      throw error;
    });
    const { routing } = await reference;
    reply.hijack();
    for (const [name, value] of Object.entries(reply.getHeaders())) {
      if (name !== 'content-security-policy' && value !== undefined) reply.raw.setHeader(name, value);
    }
    reply.raw.setHeader('content-security-policy', DOCS_POLICY);
    routing(request.raw, reply.raw);
  };
  for (const path of ['/docs', '/docs/', '/docs/js/scalar.js']) app.get(path, hidden, docs);
  app.get('/favicon.ico', hidden, async (_request, reply) => reply.code(204).send());

  const table = async (): Promise<ProblemTable> => ({ ...(await problems()), ...PLATFORM_PROBLEMS });
  app.get('/problems.json', hidden, table);
  app.get('/problems', hidden, async (_request, reply) =>
    reply.type('text/html').send(
      page(
        'Problems',
        `<p>What this API refuses, and why. Every refusal carries one of these codes.</p><table>${Object.entries(
          await table(),
        )
          .toSorted()
          .map(
            ([code, { status, title }]) =>
              `<tr><td>${status}</td><td><a href="/problems/${code}">${code}</a></td><td>${title}</td></tr>`,
          )
          .join('')}</table>`,
      ),
    ),
  );
  app.get<{ Params: { code: string } }>('/problems/:code', hidden, async ({ params }, reply) => {
    const known = await table();
    const problem = Object.hasOwn(known, params.code) ? known[params.code] : undefined;
    if (problem === undefined) throw refuse('not-found');
    const { title, status, detail } = problem;
    return reply
      .type('text/html')
      .send(
        page(
          title,
          `<p><code>${params.code}</code> · HTTP ${status}</p><p>${detail}</p><p><a href="/problems">All problems</a></p>`,
        ),
      );
  });
};

/** The page brings its scripts and styles along; it asks nobody else for anything. */
const DOCS_POLICY =
  "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; worker-src blob:; frame-ancestors 'none'";

/** Its 4 MB are loaded when somebody opens the page, not at each start. */
const openReference = async (title: string): Promise<FastifyInstance> => {
  const { default: scalar } = await import('@scalar/fastify-api-reference');
  const app = Fastify({ logger: false });
  await app.register(scalar, {
    routePrefix: '/docs',
    configuration: {
      url: '/openapi.json',
      pageTitle: `${title} API`,
      telemetry: false,
      withDefaultFonts: false,
      proxyUrl: '',
      authentication: { preferredSecurityScheme: 'accessToken' },
      hideClientButton: true,
      showDeveloperTools: 'never',
      agent: { disabled: true },
      mcp: { disabled: true },
    },
  });
  await app.ready();
  return app;
};
