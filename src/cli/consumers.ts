/** taskwire consumers: where each stands, and what becomes of one that this release does not declare. */
import { isLate, type Lag } from '#platform/event-bus/bus.ts';
import type { Consumer } from '#platform/event-bus/consumer.ts';
import { listDeadLetters } from '#platform/event-bus/dead-letters.ts';
import { type RegisteredPost, registeredPosts, standOf } from '#platform/event-bus/overview.ts';
import { adoptConsumer, retireConsumer } from '#platform/event-bus/registration.ts';
import { counted, endWithReader, instant, lasting, say, sayJson, table, UsageError } from './output.ts';
import { type Opened, type OpenedService, withServices } from './with-stores.ts';

/** vanished: not declared by this release. new: never started. unread: no process reads for it. */
type State = 'vanished' | 'new' | 'unread' | 'parked' | 'late' | 'ok';
type Listed = Omit<RegisteredPost, 'registeredAt'> & {
  readonly service: string;
  readonly state: State;
  readonly kind: Consumer['kind'] | null;
  readonly registeredAt: string | null;
  readonly position: string | null;
  readonly lag: Lag | null;
  readonly parkedKeys: number;
};

export const consumersList = ({ json }: { readonly json?: boolean }): Promise<void> => {
  endWithReader();
  return withServices(async (opened) => {
    const listed = (await Promise.all(opened.services.map((one) => consumersOf(opened, one)))).flat();
    if (json) return sayJson(listed);
    if (listed.length === 0) return say('no service here hears of another');
    const head = ['CONSUMER', 'KIND', 'SOURCE', 'STATE', 'BEHIND', 'PARKED', 'HELD UNTIL', 'REGISTERED', 'POSITION'];
    say(...table(head, listed.map(cellsOf)), ...nextStepsOf(listed));
  });
};

const consumersOf = async (opened: Opened, { service, kit, consumers }: OpenedService): Promise<readonly Listed[]> => {
  const registered = await registeredPosts(kit.database);
  const known = await Promise.all(
    registered.map(async (post): Promise<Listed> => {
      const { consumer, source } = post;
      const declared = consumers.find(({ name }) => name === consumer);
      const isHere = opened.services.some((one) => one.service === source);
      const stand =
        source !== null && isHere ? await standOf(kit.database, opened.bus, { consumer, source }) : undefined;
      const { position = null, lag = null, parkedKeys = 0 } = stand ?? {};
      const found = { ...post, service, kind: declared?.kind ?? null, position, lag, parkedKeys };
      return { ...found, state: declared ? stateOf(found) : 'vanished' };
    }),
  );
  const news = consumers.filter(({ name }) => !registered.some(({ consumer }) => consumer === name));
  return [...known, ...news.map((consumer) => neverStarted(service, consumer))];
};

const stateOf = ({ heldUntil, parkedKeys, lag }: Omit<Listed, 'state'>): State => {
  if (heldUntil === null) return 'unread';
  if (parkedKeys > 0) return 'parked';
  return lag !== null && isLate(lag) ? 'late' : 'ok';
};

const neverStarted = (service: string, { name, kind, begins }: Consumer): Listed => ({
  consumer: name,
  service,
  kind,
  begins,
  state: 'new',
  source: null,
  registeredAt: null,
  position: null,
  lag: null,
  parkedKeys: 0,
  holder: null,
  heldUntil: null,
});

const cellsOf = (one: Listed): readonly string[] => [
  one.consumer,
  one.kind ?? '–',
  one.source ?? '–',
  one.state,
  one.lag === null ? '–' : behind(one.lag),
  counted(one.parkedKeys, 'key'),
  one.heldUntil === null ? 'nobody' : instant(one.heldUntil),
  one.registeredAt === null ? 'not yet' : instant(one.registeredAt),
  one.position ?? '–',
];
const COUNTED_AT_MOST = 10_000;
const behind = ({ events, seconds }: Lag): string =>
  events === 0
    ? 'nothing'
    : `${events < COUNTED_AT_MOST ? '' : 'at least '}${counted(events, 'event')}, ${seconds === null ? 'nobody knows for how long' : lasting(seconds * 1000)}`;

const nextStepsOf = (listed: readonly Listed[]): readonly string[] => {
  const names = (wanted: (one: Listed) => boolean) => [
    ...new Set(listed.filter(wanted).map(({ consumer }) => consumer)),
  ];
  const vanished = names(({ state }) => state === 'vanished');
  const mayBeRenamed = listed.some(({ state }) => state === 'new');
  const unread = names(({ state }) => state === 'unread' || state === 'new');
  const parked = names(({ parkedKeys }) => parkedKeys > 0);
  const steps = [
    ...vanished.map(
      (name) =>
        `This release declares no consumer ${name}: nothing starts until it is known what became of it:\n` +
        `${mayBeRenamed ? `  taskwire consumers adopt ${name} <new name>\n` : ''}  taskwire consumers retire ${name} --yes`,
    ),
    ...(unread.length > 0 ? [`No process reads for ${unread.join(', ')}: taskwire start`] : []),
    ...(parked.length > 0 ? ['What is parked, and why: taskwire dead-letters list'] : []),
  ];
  return steps.length > 0 ? ['', ...steps] : [];
};

export const consumersAdopt = (from: string, to: string, { json }: { readonly json?: boolean }): Promise<void> =>
  withServices(async ({ services }) => {
    const { service, kit, consumers } = await mayGo(services, from);
    const registered = new Set((await registeredPosts(kit.database)).map(({ consumer }) => consumer));
    if (registered.has(to))
      throw new Error(
        `${to} stands somewhere itself and cannot go on elsewhere; what ${from} left can be given up: taskwire consumers retire ${from} --yes`,
      );
    const free = consumers.map(({ name }) => name).filter((name) => !registered.has(name));
    if (!free.includes(to)) {
      const choice = free.length > 0 ? `adopt it as ${free.join(' or ')}` : `it has none that could go on for ${from}`;
      throw new Error(`this release declares no consumer ${to} in the ${service} service: ${choice}`);
    }
    const parked = await listDeadLetters(kit.database, { consumer: from });
    if (!(await adoptConsumer(kit.database, from, to))) throw new Error(`${from} was renamed or retired just now`);
    if (json) return sayJson({ adopted: from, as: to, parkedKeys: parked.length });
    const along = parked.length > 0 ? `, with ${counted(parked.length, 'parked key')}` : '';
    say(`${to} goes on where ${from} stood${along}; processes start again`);
  });

export const consumersRetire = (
  name: string,
  { yes, json }: { readonly yes?: boolean; readonly json?: boolean },
): Promise<void> =>
  withServices(async ({ services }) => {
    const { kit } = await mayGo(services, name);
    const parked = await listDeadLetters(kit.database, { consumer: name });
    const events = parked.reduce((sum, letter) => sum + letter.events, 0);
    const what = `where ${name} stood, and ${counted(parked.length, 'parked key')} with ${counted(events, 'event')}`;
    if (!yes)
      throw new UsageError(
        `this forgets for good ${what}; the rows that it made stay. Nothing was done yet. If that is meant:\n` +
          `  taskwire consumers retire ${name} --yes`,
      );
    if (!(await retireConsumer(kit.database, name))) throw new Error(`${name} was renamed or retired just now`);
    if (json) return sayJson({ retired: name, parkedKeys: parked.length, events });
    say(`forgot ${what}; processes start again`);
  });

/** The service in whose database a consumer is registered. Throws where there is none, or where somebody needs it still. */
const mayGo = async (services: readonly OpenedService[], name: string): Promise<OpenedService> => {
  const all = await Promise.all(services.map(async (one) => ({ one, posts: await registeredPosts(one.kit.database) })));
  const found = all.find(({ posts }) => posts.some(({ consumer }) => consumer === name));
  if (found === undefined) {
    const known = [...new Set(all.flatMap(({ posts }) => posts.map(({ consumer }) => consumer)))];
    throw new Error(`no consumer ${name} is registered here; there are ${known.join(', ') || 'none'}`);
  }
  const { one, posts } = found;
  if (one.consumers.some((declared) => declared.name === name))
    throw new Error(
      `${name} is a consumer of this release: whoever runs it would hear everything anew without its place. ` +
        'Only one that a release does not declare any more can be adopted or retired',
    );
  const held = posts.find(({ consumer, heldUntil }) => consumer === name && heldUntil !== null)?.heldUntil;
  if (held)
    throw new Error(
      `a process of another release reads for ${name} at this moment (until ${instant(held)}, and on while it runs): stop it first`,
    );
  return one;
};
