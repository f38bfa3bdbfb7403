/** Services behind one HTTP server, ready to listen or to be injected into: what every process and the tests share. */
import { EVENT_REGISTRY } from '#contracts/registry.ts';
import { fetchAhead, remoteKeys } from '#platform/auth/remote-keys.ts';
import { createTokenVerifier } from '#platform/auth/tokens.ts';
import { openShared } from '#platform/cache/open.ts';
import type { Config } from '#platform/config/config.ts';
import type { Secrets } from '#platform/config/secrets.ts';
import { operatorsOf } from '#platform/http/access.ts';
import { awaitWrites, createConsistencyTokens } from '#platform/http/consistency.ts';
import { beginInTime } from '#platform/http/deadline.ts';
import { describeRoutes, serveDocs } from '#platform/http/docs.ts';
import { serveEventDocs } from '#platform/http/event-docs.ts';
import { takeLeave, tellWhenLeaving } from '#platform/http/farewell.ts';
import { type HealthCheck, serveHealth } from '#platform/http/health.ts';
import { serveMetrics } from '#platform/http/metrics.ts';
import { PLATFORM_PROBLEMS, type Problem, type ProblemTable } from '#platform/http/problems.ts';
import type { RateLimits } from '#platform/http/rate-limit.ts';
import { refuseUntilReady } from '#platform/http/readiness.ts';
import { createHttpApp, type HttpApp } from '#platform/http/server.ts';
import { serveWelcome } from '#platform/http/welcome.ts';
import { createReadiness, type Readiness } from '#platform/lifecycle/readiness.ts';
import type { Service } from '#platform/lifecycle/service.ts';
import type { DatabaseAddress } from '#platform/sql/connection.ts';
import type { Logger } from '#platform/telemetry/logger.ts';
import { askHere } from './gateway/ask-here.ts';
import { dashboardRoute } from './gateway/dashboard.ts';
import { type Installation, openInstallation, SERVICES, type ServiceDescription } from './installation.ts';
import { ABOUT, API, beginning, EVENTS, PRODUCT, TAGS } from './product.ts';
import { everyService, type ServiceOpener } from './services.ts';

export type App = {
  readonly http: HttpApp;
  /** Begins what goes on by itself: consumers, jobs and timers. Rejects where it must not begin. */
  start(): Promise<void>;
  /** Answers what is under way, refuses what is new, and lets go of the database. */
  close(): Promise<void>;
};

/** ms: every request is answered sooner; who is connected longer has not sent all of theirs, and may never. */
const DRAIN = 5_000;

/** Every service in one process. Connects to nothing yet; the schemas must be migrated before the first request. */
export const buildApp = (config: Config, secrets: Secrets, shared: DatabaseAddress, logger: Logger): Promise<App> =>
  buildProcess({ config, masterKey: secrets.masterKey, shared, logger, open: everyService(secrets) });

export type ProcessOptions = {
  readonly config: Config;
  readonly masterKey: string;
  readonly shared: DatabaseAddress;
  readonly logger: Logger;
  /** The services that this process consists of. */
  readonly open: readonly ServiceOpener[];
  /** What is waited for before they are asked; by default nothing. */
  readonly readiness?: Readiness;
  /** How it stops. Slowly: others go on behind whoever sends requests here, and none may be lost. By default at once. */
  readonly leaving?: 'slowly' | 'at-once';
  /** Whose requests are limited here; a service behind a gateway sees to accounts alone. By default all. */
  readonly counts?: RateLimits['counts'];
};

/** The same for some of the services: what a process needs of one that is not in it, it asks over HTTP. */
export const buildProcess = async (options: ProcessOptions): Promise<App> => {
  const {
    config,
    masterKey,
    shared,
    logger,
    open,
    readiness = createReadiness(),
    leaving = 'at-once',
    counts,
  } = options;
  const store = openShared(config, logger, masterKey);
  const installation = await openInstallation(config, shared, logger);
  const { bus, relayOf } = installation;
  const placeOf: Installation['placeOf'] = (service) => ({
    ...installation.placeOf(service),
    cache: store.cache,
    limiter: store.limits?.limiter,
    admit: async (life) => relayOf(service.name, logger)?.admit(life),
  });
  const services = await Promise.all(open.map((one) => one({ ...installation, placeOf, config, logger })));
  const relays = services.flatMap(({ name }) => {
    const relay = relayOf(name, logger);
    return relay ? [{ name, relay }] : [];
  });
  let stopping = false;

  const keySet = services.find((service) => service.keySet)?.keySet;
  const keys = keySet ? async () => keySet : remoteKeys(config.USER_SERVICE_URL);
  const http = await createHttpApp({
    verifier: createTokenVerifier(keys, config.PUBLIC_URL),
    logger,
    origins: config.CORS_ORIGINS,
    limits: store.limits && { ...store.limits, counts },
    trustedProxies: config.TRUSTED_PROXIES ?? (counts && 'loopback'), // a gateway on this machine
    operators: operatorsOf(config),
  });
  const gone = new AbortController();
  http.addHook('onClose', async () => gone.abort());
  if (!keySet) void fetchAhead(keys, gone.signal);
  await describeRoutes(http, { ...PRODUCT, description: API, tags: TAGS, server: config.PUBLIC_URL });
  const consistencyTokens = createConsistencyTokens(masterKey);
  for (const { routes, catchUp } of services) {
    const mount = async (scope: HttpApp) => {
      refuseUntilReady(scope, readiness);
      awaitWrites(scope, consistencyTokens, catchUp);
      beginInTime(scope);
      routes(scope);
    };
    http.register(mount, { prefix: '/api/v1' });
  }
  // Where all are together, they are asked as the gateway asks them, without a network between.
  if (services.length === SERVICES.length)
    http.register(async (scope: HttpApp) => dashboardRoute(scope, (request) => askHere(http, request)), {
      prefix: '/api/v1',
    });
  for (const { pages } of services) {
    http.register(async (scope: HttpApp) => {
      refuseUntilReady(scope, readiness);
      pages?.routes(scope);
    });
  }
  if (keySet)
    http.get('/.well-known/jwks.json', { config: { access: 'public' }, schema: { hide: true } }, async () => keySet);
  if (leaving === 'slowly') tellWhenLeaving(http, () => stopping);
  const cacheCheck = store.health ? { cache: store.health } : {};
  const relayChecks = relays.map(({ name, relay }) => [`events.${name}.relay`, relay.health] as const);
  serveHealth(http, { ...checksOf(services), ...cacheCheck, ...Object.fromEntries(relayChecks) }, () =>
    stopping ? 'stopping' : waitingFor(readiness),
  );
  serveMetrics(http);
  const entries = services.flatMap(({ pages }) => (pages ? [pages.entry] : []));
  serveWelcome(http, { about: ABOUT, beginning: beginning(config.PUBLIC_URL), entries: async () => entries });
  const problems = problemsOf(services);
  serveDocs(http, { ...PRODUCT, openapi: async () => http.swagger(), problems: async () => problems });
  const events = eventsOf(services);
  serveEventDocs(http, async () => events);
  await http.ready();

  return {
    http,
    start: async () => {
      const waitedFor = readiness.waitsFor();
      if (relays.length > 0) readiness.wait('the broker');
      for (const { relay } of relays) await relay.start(); // may find that the store must not be written to
      if (waitedFor === undefined) readiness.begin();
      else readiness.wait(waitedFor);
      for (const { background } of services) await background?.start();
    },
    close: async () => {
      stopping = true;
      // Together: each may take seconds where the database is away, and all must be over in ten.
      await Promise.all([
        leaving === 'slowly' ? takeLeave(http) : leave(http),
        ...services.map(({ background }) => background?.stop()),
        ...relays.map(({ relay }) => relay.stop()),
      ]);
      await Promise.all([...services.map((service) => service.close()), bus.close(), store.close()]);
    },
  };
};

const leave = async (http: HttpApp): Promise<void> => {
  const patience = setTimeout(() => http.server.closeAllConnections(), DRAIN);
  await http.close();
  clearTimeout(patience);
};

const waitingFor = (readiness: Readiness): string | undefined => {
  const what = readiness.waitsFor();
  return what && `waiting for ${what}`;
};

const checksOf = (services: readonly Service[]): Readonly<Record<string, HealthCheck>> =>
  Object.fromEntries(
    services.flatMap(({ name, health, consumers, duties = {} }): [string, HealthCheck][] => [
      [`db.${name}`, health],
      ...(consumers ? [[`events.${name}`, eventsCheck(consumers)] as [string, HealthCheck]] : []),
      ...Object.entries(duties).map(([duty, check]): [string, HealthCheck] => [`events.${name}.${duty}`, check]),
    ]),
  );

const eventsCheck =
  (ask: NonNullable<Service['consumers']>): HealthCheck =>
  async () => {
    const consumers = await ask();
    return { status: consumers.some(({ status }) => status === 'degraded') ? 'degraded' : 'ok', consumers };
  };

/** Every code that is answered here. Throws where one would mean two things: clients, and its page, know it by its name alone. */
export const problemsOf = (services: readonly Pick<Service, 'name' | 'problems'>[]): ProblemTable => {
  const known = new Map<string, Problem>(Object.entries(PLATFORM_PROBLEMS));
  for (const { name, problems } of services)
    for (const [code, problem] of Object.entries(problems)) {
      const title = known.get(code)?.title ?? problem.title;
      if (title !== problem.title)
        throw new Error(`the ${name} service says “${problem.title}” by ${code}, not “${title}”`);
      known.set(code, problem);
    }
  return Object.fromEntries(known);
};

/** What these services say and hear, and the public events that are spoken of. */
const eventsOf = (services: readonly Service[]) => {
  const here = SERVICES.filter(({ name }) => services.some((service) => service.name === name));
  const producers = here.map(({ name, registry }) => ({ service: name, types: Object.keys(registry) }));
  const consumers = here.flatMap(consumersOf);
  const spoken = new Set([...producers, ...consumers].flatMap(({ types }) => types));
  const events = Object.entries(EVENT_REGISTRY).filter(([type]) => spoken.has(type));
  return { ...PRODUCT, description: EVENTS, events: Object.fromEntries(events), producers, consumers };
};

/** A service's consumers, by what they hear; one that hears of nobody names none. */
const consumersOf = ({ name, consumers = [] }: ServiceDescription) =>
  consumers.map((consumer) => ({ name: consumer.name, service: name, types: consumer.types }));
