/** What an installation consists of: its services, the database of each, and the schemas in them. */
import { fileURLToPath } from 'node:url';
import { type Config, type DatabaseSettings, databaseOf } from '#platform/config/config.ts';
import type { EventBus } from '#platform/event-bus/bus.ts';
import type { Consumer } from '#platform/event-bus/consumer.ts';
import type { KafkaSettings } from '#platform/event-bus/kafka/client.ts';
import { topicsOfServices } from '#platform/event-bus/kafka/topic-specs.ts';
import { openLogBus } from '#platform/event-bus/log-bus.ts';
import { openRelay, type Publisher, type Relay } from '#platform/event-bus/relaying.ts';
import type { EventRegistry } from '#platform/event-store/catalog.ts';
import { killAt } from '#platform/lifecycle/fail-points.ts';
import type { ServicePlacement } from '#platform/lifecycle/service-kit.ts';
import { createSignal, type Signal } from '#platform/lifecycle/signal.ts';
import type { Declaring } from '#platform/migrations/compare.ts';
import type { Login } from '#platform/migrations/logins.ts';
import type { MigrationTarget } from '#platform/migrations/migrate.ts';
import type { InlineReadModel } from '#platform/read-models/inline.ts';
import { type DatabaseAddress, EVENT_READER } from '#platform/sql/connection.ts';
import { openDatabase } from '#platform/sql/database.ts';
import type { Logger } from '#platform/telemetry/logger.ts';
import { NOTIFICATION_SERVICE } from '#services/notification/service.ts';
import { TASK_SERVICE } from '#services/task/service.ts';
import { USER_SERVICE } from '#services/user/service.ts';

/** What a service says of itself before it is opened. */
export type ServiceDescription = {
  readonly name: string;
  readonly settings: DatabaseSettings;
  /** Schema and runtime role, by the same name. */
  readonly schema: string;
  /** The events that it writes. */
  readonly registry: EventRegistry;
  /** The folder of its own migrations. */
  readonly migrations: string;
  readonly readModels: readonly InlineReadModel[];
  /** Missing where it hears of nobody. */
  readonly consumers?: readonly Consumer[];
  /** Tables of its migrations that no read model and no consumer keeps. */
  readonly otherTables?: readonly string[];
};
export const SERVICES: readonly ServiceDescription[] = [USER_SERVICE, TASK_SERVICE, NOTIFICATION_SERVICE];

const folder = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const EVENT_STORE = folder('./platform/event-store/migrations');
const SCHEDULING = folder('./platform/scheduling/migrations');
const EVENT_BUS = folder('./platform/event-bus/migrations');
const KEYS = folder('./platform/keys/migrations');

/** `shared` is the database that DB_* names; a service's own settings move it elsewhere. */
export const whereIs = (
  { settings }: Pick<ServiceDescription, 'settings'>,
  config: Config,
  shared: DatabaseAddress,
  committed: Signal = createSignal(),
): ServicePlacement => ({
  address: databaseOf(config, settings, shared),
  keysAddress: databaseOf(config, 'KEYS', shared),
  failPoint: killAt(config.FAIL_POINT),
  committed,
});

export type Installation = {
  readonly bus: EventBus;
  readonly placeOf: (service: ServiceDescription) => ServicePlacement;
  /** What carries a service's events to the broker, by its name, one for each; undefined where there is no broker, and none is needed. */
  readonly relayOf: (service: string, logger: Logger) => Relay | undefined;
};

/** Where each service is, and the bus on which they hear each other; of what this process commits, the bus hears at once. */
export const openInstallation = async (
  config: Config,
  shared: DatabaseAddress,
  logger?: Logger,
): Promise<Installation> => {
  const places = new Map(
    SERVICES.map((service): [string, ServicePlacement] => [
      service.name,
      whereIs(service, config, shared, createSignal()),
    ]),
  );
  const placeOf = ({ name }: ServiceDescription): ServicePlacement => {
    const place = places.get(name);
    if (place === undefined) throw new Error(`${name} is no service of this installation`);
    return place;
  };
  const settings = kafkaOf(config);
  if (settings === undefined) {
    const sources = SERVICES.map((service) => [service.name, { ...placeOf(service), schema: service.schema }] as const);
    return { bus: openLogBus(Object.fromEntries(sources), 'taskwire bus'), placeOf, relayOf: () => undefined };
  }
  const { openKafkaBus } = await import('#platform/event-bus/kafka/kafka-bus.ts'); // its client takes a while to load
  const bus = openKafkaBus(settings, logger);
  const relays = new Map<string, Relay>();
  const relayOf = (name: string, logger: Logger): Relay | undefined => {
    const service = SERVICES.find((one) => one.name === name);
    const relay = relays.get(name) ?? (service && openServiceRelay(service, placeOf(service), bus, logger));
    if (relay) relays.set(name, relay);
    return relay;
  };
  return { bus, placeOf, relayOf };
};

/** With connections of its own: what it waits for holds up nobody. */
const openServiceRelay = (
  { name: source, schema }: ServiceDescription,
  { address, committed, failPoint }: ServicePlacement,
  publisher: Publisher,
  logger: Logger,
): Relay => {
  const rights = { schema, role: schema, statementTimeout: RELAY_STATEMENT_TIMEOUT };
  const database = openDatabase({ ...rights, address, applicationName: `taskwire ${source} relay`, connections: 1 });
  const relay = openRelay({ source, database, publisher, committed, logger, failPoint });
  return {
    ...relay,
    stop: async () => {
      await relay.stop();
      await database.close();
    },
  };
};
const RELAY_STATEMENT_TIMEOUT = 5_000;

/** The broker that is named, and who we are to it; undefined where none is. */
export const kafkaOf = (config: Config): KafkaSettings | undefined => {
  const { KAFKA_BOOTSTRAP_SERVERS, KAFKA_SASL_MECHANISM: mechanism, KAFKA_USERNAME, KAFKA_PASSWORD } = config;
  if (KAFKA_BOOTSTRAP_SERVERS === undefined) return undefined;
  return {
    bootstrapServers: KAFKA_BOOTSTRAP_SERVERS.split(','),
    sasl: mechanism && { mechanism, username: KAFKA_USERNAME ?? '', password: KAFKA_PASSWORD ?? '' },
    tls: config.KAFKA_TLS,
    instanceId: config.INSTANCE_ID,
  };
};

/** The topics that this installation has, and of what shape. */
export const topicsOf = ({ KAFKA_TOPIC_PARTITIONS: partitions, KAFKA_TOPIC_REPLICAS: replicas }: Config) =>
  topicsOfServices(
    SERVICES.map(({ name }) => name),
    { partitions, replicas },
  );

/**
 * What each service must be able to act as, on each server that it uses: in its own schema as itself, for the keys of
 * personal data, and, where no broker carries events, as a reader of what those publish whom it hears.
 */
export const loginsOf = (config: Config, shared: DatabaseAddress): readonly Login[] =>
  SERVICES.flatMap((service) => {
    const { address, keysAddress } = whereIs(service, config, shared);
    const hears = kafkaOf(config) === undefined ? SERVICES.filter((other) => listens(service, other)) : [];
    const needs = [
      { address, role: service.schema },
      { address: keysAddress, role: 'keys' },
      ...hears.map((other) => ({ address: whereIs(other, config, shared).address, role: EVENT_READER })),
    ];
    const servers = Map.groupBy(needs, ({ address: { host, port } }) => `${host}:${port}`);
    return [...servers.values()].flatMap(([first, ...more]): Login[] => {
      if (first === undefined) return [];
      const roles = [...new Set([first, ...more].map(({ role }) => role))];
      return [{ name: `${service.schema}_login`, address: first.address, roles }];
    });
  });
const listens = (
  { consumers = [] }: Pick<ServiceDescription, 'consumers'>,
  { registry }: Pick<ServiceDescription, 'registry'>,
): boolean => consumers.some(({ types }) => types.some((type) => type in registry));

/** Which schema gets which tables: the platform's parts where a service uses them, then the service's own. */
export const migrationTargets = (config: Config, shared: DatabaseAddress): readonly MigrationTarget[] => [
  { address: databaseOf(config, 'KEYS', shared), ...KEYS_SCHEMA },
  ...SERVICES.map((service) => ({
    address: whereIs(service, config, shared).address,
    schema: service.schema,
    folders: [...PLATFORM, service.migrations],
  })),
];
const KEYS_SCHEMA = { schema: 'keys', folders: [KEYS] };
const PLATFORM = [EVENT_STORE, SCHEDULING, EVENT_BUS];

/** The tables that each service's migrations must come to, by the declarations in its code. */
export const declarations = (): readonly (Declaring & { readonly service: string })[] =>
  SERVICES.map((service) => {
    const { readModels, consumers = [], otherTables = [] } = service;
    const tables = [...readModels, ...consumers].map(({ table }) => table);
    return {
      service: service.name,
      schema: service.schema,
      before: PLATFORM,
      folder: service.migrations,
      tables: [...new Map(tables.map((table) => [table.name, table])).values()],
      otherTables,
    };
  });

/** Every folder of migrations, schema by schema, in the order in which they are applied. */
export const migrationFolders = (): readonly (readonly string[])[] => [
  KEYS_SCHEMA.folders,
  ...SERVICES.map(({ migrations }) => [...PLATFORM, migrations]),
];
