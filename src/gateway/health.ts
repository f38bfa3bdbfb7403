/** How the product is, as the gateway sees it: its own view of each service, and what each says of its parts. */

import Type, { type Static } from 'typebox';
import type { HttpApp } from '#platform/http/server.ts';
import { oneLook } from '#platform/lifecycle/one-look.ts';
import { createValidator } from '#platform/schema/validator.ts';
import { askJson, onOurOwn } from './ask-json.ts';
import type { Upstreams } from './relay.ts';
import { SERVICE_NAMES } from './route-table.ts';
import type { Upstream } from './upstream.ts';

/** What else a part says of itself is passed on as it came. */
const Part = Type.Object({ status: Type.Enum(['ok', 'degraded', 'down']) });
const Told = Type.Object({ parts: Type.Record(Type.String(), Part) });
type Part = Readonly<Static<typeof Part>> & { readonly detail?: string };
type Parts = Readonly<Record<string, Part>>;
const isTold = createValidator({ coerce: false }).compile<Static<typeof Told>>(Told);

const PATIENCE = 2_000;
const OK = 200;
const DOWN = 503;
const HIDDEN = { config: { access: 'public', limits: 'none' }, schema: { hide: true } } as const;

export const serveGatewayHealth = (
  app: HttpApp,
  upstreams: Upstreams,
  notServing: () => string | undefined,
  own: () => Promise<Parts>,
): void => {
  app.get('/health/live', HIDDEN, async () => ({ status: 'ok' }));
  // It asks nobody: with a service away, or all, the gateway is who says so best.
  app.get('/health/ready', HIDDEN, async (_request, reply) => {
    const detail = notServing();
    if (detail === undefined) return { status: 'ok', parts: {} };
    return reply.code(DOWN).send({ status: 'down', parts: { process: { status: 'down', detail } } });
  });
  const all = SERVICE_NAMES.map((name) => upstreams[name]);
  for (const path of ['/health', '/health/db', '/health/events']) {
    const look = oneLook(() => Promise.all(all.map((upstream) => partsOf(upstream, path))));
    app.get(path, HIDDEN, async (_request, reply) => {
      const told = await look();
      const seen = path === '/health' ? { ...Object.fromEntries(all.map(seenOf)), ...(await own()) } : {};
      const parts: Parts = { ...seen, ...Object.fromEntries(told.flatMap((one) => Object.entries(one))) };
      const status = worstOf(told, parts);
      return reply.code(status === 'down' ? DOWN : OK).send({ status, parts });
    });
  }
};

/** What a service says; that it says nothing, or nothing of this kind, stands under its name. */
const partsOf = async (upstream: Upstream, path: string): Promise<Parts> => {
  const body = (await askJson(upstream, path, onOurOwn(PATIENCE)))?.body;
  if (isTold(body)) return body.parts;
  return {
    [upstream.service]: { status: 'down', detail: body === undefined ? 'not reachable' : 'not to be understood' },
  };
};

/** The copies by their breakers, without their addresses. */
const seenOf = (upstream: Upstream) => {
  const copies = upstream.states();
  const serving = copies.filter(({ ready, breaker }) => ready && breaker === 'closed').length;
  const status = serving === copies.length && serving > 0 ? 'ok' : serving > 0 ? 'degraded' : 'down';
  return [`gateway.${upstream.service}`, { status, copies }] as const;
};

/** One service down degrades the whole, for the others go on; all of them down is down. */
const worstOf = (services: readonly Parts[], parts: Parts): Part['status'] => {
  const isDown = (some: Parts) => Object.values(some).some(({ status }) => status === 'down');
  if (services.every(isDown)) return 'down';
  return Object.values(parts).every(({ status }) => status === 'ok') ? 'ok' : 'degraded';
};
