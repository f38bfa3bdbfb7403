/** taskwire projections: the tables that are made from events, made anew and held to them. */
import { EVENT_REGISTRY } from '#contracts/registry.ts';
import type { Config } from '#platform/config/config.ts';
import type { EventBus } from '#platform/event-bus/bus.ts';
import type { Consumer } from '#platform/event-bus/consumer.ts';
import { compileCatalog } from '#platform/event-store/catalog.ts';
import { openServiceKit } from '#platform/lifecycle/service-kit.ts';
import type { InlineReadModel } from '#platform/read-models/inline.ts';
import { type Progress, type Rebuilt, rebuild } from '#platform/read-models/rebuild.ts';
import { rebuildProjection, verifyProjection } from '#platform/read-models/rebuild-projection.ts';
import { rebuildState } from '#platform/read-models/rebuild-state.ts';
import type { Opening } from '#platform/read-models/replay.ts';
import { type Difference, verify } from '#platform/read-models/verify.ts';
import type { DatabaseAddress } from '#platform/sql/connection.ts';
import { type Database, openDatabase } from '#platform/sql/database.ts';
import { openInstallation, SERVICES, type ServiceDescription, whereIs } from '../installation.ts';
import { secretsFor } from '../secrets.ts';
import { createMeter, grouped } from './meter.ts';
import { counted, endWithReader, say, sayJson, table } from './output.ts';
import { withMigratedDatabase } from './with-stores.ts';

type AsJson = { readonly json?: boolean };
type Tools = {
  readonly database: Database;
  readonly opening: Opening;
  readonly bus: EventBus;
  readonly failPoint: (name: string) => void;
};
/** A table that is made from events, whose it is, and how it is made anew and held to them. */
type Owned = {
  readonly service: ServiceDescription;
  readonly name: string;
  readonly kind: 'inline' | 'asynchronous';
  readonly rebuild: (tools: Tools, report: (progress: Progress) => void) => Promise<Rebuilt>;
  readonly verify: (tools: Tools) => Promise<readonly Difference[]>;
};

const inline = (service: ServiceDescription, model: InlineReadModel): Owned => ({
  service,
  name: model.name,
  kind: 'inline',
  rebuild: ({ database, opening, failPoint }, report) => rebuild({ database, opening, model, failPoint, report }),
  verify: ({ database, opening }) => verify(database, opening, model),
});
const asynchronous = (service: ServiceDescription, consumer: Consumer): Owned => {
  const hearing = ({ opening: { keys }, ...tools }: Tools) => ({
    ...tools,
    consumer,
    opening: { keys, catalog: compileCatalog(EVENT_REGISTRY) },
  });
  return {
    service,
    name: consumer.table.name,
    kind: 'asynchronous',
    rebuild: (tools, report) => rebuildProjection({ ...hearing(tools), report }),
    verify: (tools) => verifyProjection(hearing(tools)),
  };
};
/** What `projections rebuild` and `verify` can be asked for. */
export const projectionNames = (): readonly string[] => PROJECTIONS.map(({ name }) => name);
const PROJECTIONS: readonly Owned[] = SERVICES.flatMap((service) => [
  ...service.readModels.map((model) => inline(service, model)),
  ...(service.consumers ?? []).map((consumer) => asynchronous(service, consumer)),
]);

/** half-made: a rebuild was killed, and the table that it left serves nobody. */
type State = 'ok' | 'rebuilding' | 'half-made';
type Listed = Pick<Owned, 'name' | 'kind'> & { readonly service: string; readonly rows: number; readonly state: State };
const REMARKS: Readonly<Record<State, string>> = {
  ok: 'ok',
  rebuilding: 'is being rebuilt',
  'half-made': 'a rebuild was left half-way: rebuild it again',
};

export const projectionsList = ({ json }: AsJson): Promise<void> => {
  endWithReader();
  return withMigratedDatabase(async (config, address) => {
    const listed: Listed[] = [];
    for (const { service, name, kind } of PROJECTIONS) {
      const session = await asOwner(service, config, address).openSession();
      const { rows, running, leftover } = await rebuildState(session, name);
      await session.close();
      const state = running ? 'rebuilding' : leftover ? 'half-made' : 'ok';
      listed.push({ service: service.name, name, kind, rows, state });
    }
    if (json) return sayJson(listed);
    const cellsOf = ({ service, name, kind, rows, state }: Listed) => [
      service,
      name,
      kind,
      counted(rows, 'row'),
      REMARKS[state],
    ];
    say(...table(['SERVICE', 'PROJECTION', 'KIND', 'ROWS', 'STATE'], listed.map(cellsOf)));
  });
};

export const projectionsRebuild = (name: string, { json }: AsJson): Promise<void> =>
  withProjection(name, async ({ rebuild }, tools) => {
    const meter = createMeter(name, process.stderr);
    const began = performance.now();
    const { rows, events, held } = await rebuild(tools, ({ step, events, total }) =>
      meter.show({ step, done: events, total }),
    ).finally(meter.end);
    const took = ((performance.now() - began) / 1_000).toFixed(1);
    if (json) return sayJson({ name, rows, events, seconds: Number(took), writersWaited: Math.round(held) });
    const made = `${counted(rows, 'row')} from ${counted(events, 'event')} in ${took} s`;
    say(`${name}: ${made}; writers waited ${held.toFixed(0)} ms`);
  });

const SHOWN = 20;

export const projectionsVerify = (name: string, { json }: AsJson): Promise<void> =>
  withProjection(name, async ({ verify }, tools) => {
    const differences = await verify(tools);
    const many = differences.length;
    if (json) sayJson(differences);
    else if (many === 0) say(`${name}: every row is what its events say`);
    else say(...differences.slice(0, SHOWN).map(({ id, fault }) => `${id}  ${fault}`));
    if (!json && many > SHOWN) say(`and ${grouped(many - SHOWN)} more`);
    if (many === 0) return;
    const differ = `${counted(many, 'row')} of ${name} ${many === 1 ? 'differs' : 'differ'}`;
    throw new Error(`${differ}: \`taskwire projections rebuild ${name}\` mends ${many === 1 ? 'it' : 'them'}`);
  });

const withProjection = async (name: string, run: (owned: Owned, tools: Tools) => Promise<void>): Promise<void> => {
  const owned = PROJECTIONS.find((projection) => projection.name === name);
  if (owned === undefined) {
    const known = PROJECTIONS.map((projection) => projection.name).join(', ');
    throw new Error(`there is no projection ${name}; there are ${known}`);
  }
  await withMigratedDatabase(async (config, address) => {
    const { service } = owned;
    const { masterKey } = await secretsFor(config, address, 'masterKey');
    const { bus, placeOf } = await openInstallation(config, address);
    const kit = openServiceKit({ ...service, ...placeOf(service), masterKey });
    const database = asOwner(service, config, address);
    try {
      await run(owned, { database, bus, opening: kit.commands, failPoint: kit.failPoint });
    } finally {
      await Promise.all([bus.close(), database.close(), kit.close()]);
    }
  });
};

/** Tables are made and dropped by their owner; what takes long is not cut off. */
const asOwner = (service: ServiceDescription, config: Config, shared: DatabaseAddress): Database =>
  openDatabase({
    address: whereIs(service, config, shared).address,
    schema: service.schema,
    statementTimeout: 0,
    applicationName: 'taskwire projections',
    connections: 1,
  });
