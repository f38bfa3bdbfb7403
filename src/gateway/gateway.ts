/** One door in front of all services: it knows where each is, who may ask, and what to do where one does not answer. */
import { fetchAhead, remoteKeys } from '#platform/auth/remote-keys.ts';
import { createTokenVerifier } from '#platform/auth/tokens.ts';
import { openShared } from '#platform/cache/open.ts';
import type { Config } from '#platform/config/config.ts';
import { operatorsOf } from '#platform/http/access.ts';
import { describeRoutes, serveDocs } from '#platform/http/docs.ts';
import { serveEventDocs } from '#platform/http/event-docs.ts';
import { takeLeave, tellWhenLeaving } from '#platform/http/farewell.ts';
import { serveMetrics } from '#platform/http/metrics.ts';
import { createHttpApp, type HttpApp } from '#platform/http/server.ts';
import { serveWelcome } from '#platform/http/welcome.ts';
import type { Logger } from '#platform/telemetry/logger.ts';
import { ABOUT, API, beginning, PRODUCT, TAGS } from '../product.ts';
import { askJson } from './ask-json.ts';
import { dashboardRoute } from './dashboard.ts';
import { entriesOf, mergedEvents, mergedOpenApi, mergedProblems, tellers } from './descriptions.ts';
import type { Lookup } from './discovery.ts';
import { serveGatewayHealth } from './health.ts';
import { mergedMetrics } from './metrics.ts';
import { goneWith, questionOf, relayRoutes, type Upstreams } from './relay.ts';
import { ROUTES } from './route-table.ts';
import { openUpstream } from './upstream.ts';

export type Gateway = {
  readonly http: HttpApp;
  /** Takes its leave, or goes at once; then lets go of the services. */
  close(how: 'slowly' | 'at-once'): Promise<void>;
};

const LAST_ANSWERS = 1_000;
/** ms for each part of a composed answer, so that what is there is told before the whole is late. */
const PART = 3_000;

export const buildGateway = async (config: Config, logger: Logger, lookUp?: Lookup): Promise<Gateway> => {
  const upstreams = await openUpstreams(config, logger, lookUp);
  const shared = openShared(config, logger);
  let stopping = false;
  const keys = remoteKeys(config.USER_SERVICE_URL);
  const http = await createHttpApp({
    verifier: createTokenVerifier(keys, config.PUBLIC_URL),
    logger,
    origins: config.CORS_ORIGINS,
    limits: shared.limits && { ...shared.limits, counts: ['edge'] },
    trustedProxies: config.TRUSTED_PROXIES,
    operators: operatorsOf(config),
  });
  const gone = new AbortController();
  http.addHook('onClose', async () => gone.abort());
  void fetchAhead(keys, gone.signal);
  await describeRoutes(http, { ...PRODUCT, description: API, tags: TAGS, server: config.PUBLIC_URL });
  tellWhenLeaving(http, () => stopping);
  http.register(async (scope: HttpApp) => relayRoutes(scope, ROUTES, upstreams));
  http.register(async (scope: HttpApp) => composedRoutes(scope, upstreams), { prefix: '/api/v1' });
  serveGatewayHealth(
    http,
    upstreams,
    () => (stopping ? 'stopping' : undefined),
    async () => (shared.health ? { cache: await shared.health() } : {}),
  );
  serveMetrics(http, () => mergedMetrics(upstreams, config.METRICS_TOKEN));
  const tell = tellers(upstreams);
  serveWelcome(http, { about: ABOUT, beginning: beginning(config.PUBLIC_URL), entries: () => entriesOf(tell) });
  serveDocs(http, {
    ...PRODUCT,
    openapi: () => mergedOpenApi(tell, http.swagger()),
    problems: () => mergedProblems(tell),
  });
  serveEventDocs(http, () => mergedEvents(tell));
  await http.ready();
  return {
    http,
    close: async (how) => {
      stopping = true;
      await (how === 'slowly' ? takeLeave(http) : http.close());
      await Promise.all([...Object.values(upstreams).map((one) => one.close(LAST_ANSWERS)), shared.close()]);
    },
  };
};

const openUpstreams = async (config: Config, logger: Logger, lookUp?: Lookup): Promise<Upstreams> => {
  const open = (service: keyof Upstreams, origins: readonly string[]) =>
    openUpstream({ service, origins, logger, ...(lookUp && { lookUp }) });
  const [user, task, notification] = await Promise.all([
    open('user', config.USER_SERVICE_URL),
    open('task', config.TASK_SERVICE_URL),
    open('notification', config.NOTIFICATION_SERVICE_URL),
  ]);
  return { user, task, notification };
};

const composedRoutes = (scope: HttpApp, upstreams: Upstreams): void =>
  dashboardRoute(scope, (request, reply) => {
    const whole = questionOf(request, goneWith(reply));
    const part = { ...whole, deadline: Math.min(whole.deadline, performance.now() + PART) };
    return (service, path) => askJson(upstreams[service], path, part);
  });
