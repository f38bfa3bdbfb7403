/** The descriptions of all services as one: what each says of itself, put together, of as many as can be reached. */
import { EVENT_REGISTRY } from '#contracts/registry.ts';
import type { EventsDescription } from '#platform/http/asyncapi.ts';
import { PLATFORM_PROBLEMS, type Problem, type ProblemTable, pick } from '#platform/http/problems.ts';
import { responses } from '#platform/http/schemas.ts';
import type { Entry } from '#platform/http/welcome.ts';
import { EVENTS, PRODUCT } from '../product.ts';
import { askJson, onOurOwn } from './ask-json.ts';
import { gatewayProblems } from './problems.ts';
import type { Upstreams } from './relay.ts';
import { SERVICE_NAMES, type ServiceName } from './route-table.ts';

const PATIENCE = 3_000;
/** ms; a service that is released anew may say something else. */
const KEPT = 60_000;

type Told<T> = { readonly all: readonly T[]; readonly missing: readonly ServiceName[] };

/** What every service says at `path`, kept for a while once all have said it. */
export const tellers = (upstreams: Upstreams) => {
  const kept = new Map<string, { readonly until: number; readonly told: Told<unknown> }>();
  return async <T>(path: string): Promise<Told<T>> => {
    const known = kept.get(path);
    if (known && performance.now() < known.until) return known.told as Told<T>;
    const answers = await Promise.all(
      SERVICE_NAMES.map(async (name) => ({ name, answer: await askJson(upstreams[name], path, onOurOwn(PATIENCE)) })),
    );
    const told = {
      all: answers.flatMap(({ answer }) => (answer?.status === OK ? [answer.body] : [])),
      missing: answers.flatMap(({ name, answer }) => (answer?.status === OK ? [] : [name])),
    };
    if (told.missing.length === 0) kept.set(path, { until: performance.now() + KEPT, told });
    return told as Told<T>;
  };
};
const OK = 200;
type Tell = ReturnType<typeof tellers>;

type Operation = { readonly responses?: Readonly<Record<string, object>> };
type OpenApi = {
  readonly info?: object;
  readonly paths?: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
};

type Own = { readonly info?: object | undefined; readonly paths?: object | undefined };
/** `own` describes what the gateway answers itself. */
export const mergedOpenApi = async (tell: Tell, own: Own): Promise<object> => {
  const { all, missing } = await tell<OpenApi>('/openapi.json');
  const paths = Object.fromEntries(all.flatMap((document) => Object.entries(document.paths ?? {}).map(throughUs)));
  return { ...own, info: { ...own.info, ...missingOf(missing) }, paths: { ...paths, ...own.paths } };
};

/** The ways in that services have for people, as far as the API behind each is there. */
export const entriesOf = async (tell: Tell): Promise<readonly Entry[]> => {
  const { all } = await tell<OpenApi>('/openapi.json');
  return all.some(({ paths = {} }) => '/api/v1/dev/mailbox' in paths)
    ? [{ href: '/dev/mailbox', words: 'The mails that were sent' }]
    : [];
};

/** Named in the document, so that nobody takes a part of the API for all of it. */
const missingOf = (missing: readonly ServiceName[]) => (missing.length > 0 ? { 'x-missing': missing } : {});

/** What the gateway adds to an operation's answers: that its service failed, is away, or is late. */
const throughUs = ([path, operations]: readonly [string, Readonly<Record<string, Operation>>]) => {
  const also = responses({}, [], pick(gatewayProblems, 'service-failed', 'service-late'));
  const named = Object.entries(operations).map(([method, operation]) => [
    method,
    { ...operation, responses: { ...also, ...operation.responses } },
  ]);
  return [path, Object.fromEntries(named)] as const;
};

/** Every code that a client may meet: the services' own, and ours. */
export const mergedProblems = async (tell: Tell): Promise<ProblemTable> => {
  const { all } = await tell<ProblemTable>('/problems.json');
  const tables = [...all, PLATFORM_PROBLEMS, gatewayProblems];
  return Object.fromEntries(tables.flatMap((table) => Object.entries<Problem>(table)));
};

type AsyncApi = { readonly operations?: Readonly<Record<string, Spoken>> };
type Spoken = {
  readonly action: 'send' | 'receive';
  readonly tags: readonly { readonly name: string }[];
  readonly messages: readonly { readonly $ref: string }[];
};

/** Who says and hears what, read out of the services' own descriptions; what the events are is in contracts. */
export const mergedEvents = async (tell: Tell): Promise<EventsDescription> => {
  const { all } = await tell<AsyncApi>('/asyncapi.json');
  const spoken = all.flatMap(({ operations = {} }) =>
    Object.entries(operations).map(([key, { action, tags, messages }]) => ({
      action,
      service: tags[0]?.name ?? '',
      // `notification.tasks.receive.task.events`: the name of a consumer, and the topic.
      name: key.split(`.${action}.`, 1)[0] ?? '',
      types: messages.map(({ $ref }) => $ref.split('/').at(-1) ?? ''),
    })),
  );
  const gathered = (action: Spoken['action']) =>
    [
      ...Map.groupBy(
        spoken.filter((one) => one.action === action),
        ({ name }) => name,
      ),
    ].map(([name, ofOne]) => ({
      name,
      service: ofOne[0]?.service ?? '',
      types: ofOne.flatMap(({ types }) => types),
    }));
  return {
    ...PRODUCT,
    description: EVENTS,
    events: EVENT_REGISTRY,
    producers: gathered('send'),
    consumers: gathered('receive'),
  };
};
