/**
 * Consistency-Token over HTTP: every write answers where what it told others lies; any read, of any service, may bring
 * that along, and is served once it is known there. The client carries it, nothing is kept for it. It is sealed, so
 * nobody can make us wait for what never was.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { CatchUp, Written } from '../event-bus/consistency.ts';
import type { FeedPosition } from '../event-store/event.ts';
import type { Published } from '../event-store/published.ts';
import { RETRY_AFTER } from './errors.ts';
import { invalidInput, refuse } from './problems.ts';
import { createSeal } from './seal.ts';

export const CONSISTENCY_TOKEN = 'consistency-token';

export type ConsistencyTokens = {
  /** 170 characters for one event, 2,600 for one in each lane of a topic. */
  write(written: Written): string;
  /** One token, or several with commas between. Throws invalid-input for what is none of ours, and for too many. */
  read(header: string): readonly Written[];
};

/** Several tokens, sent together, must still fit into 16 kB with all other headers. */
export const LONGEST_TOKENS = 8_000;

/** [source, [first], {topic: [[lane, last], …]}], a place as era, tx, position. */
type Compact = readonly [
  string,
  CompactPosition,
  Readonly<Record<string, readonly (readonly [number, ...CompactPosition])[]>>,
];
type CompactPosition = readonly [number, string, number];

/**
 * Tokens sealed under the newest of the secrets, opened under any. `read` throws invalid-input for what is none of
 * them.
 */
export const createConsistencyTokens = (secret: string): ConsistencyTokens => {
  const { seal, open } = createSeal(secret, 'consistency tokens');
  return {
    write: (written) => seal(JSON.stringify(compact(written))),
    read: (header) => {
      if (header.length > LONGEST_TOKENS) throw notAToken(`must have ${LONGEST_TOKENS} characters at the most`);
      return header.split(',').map((token) => {
        const text = open(token.trim());
        if (text === undefined) throw notAToken('must be a Consistency-Token that a write answered');
        return expand(JSON.parse(text) as Compact);
      });
    },
  };
};

const compact = ({ source, first, lanes }: Written): Compact => {
  const byTopic = Map.groupBy(lanes, ({ topic }) => topic);
  const ends = [...byTopic].map(([topic, ends]) => [topic, ends.map(({ lane, last }) => [lane, ...placeOf(last)])]);
  return [source, placeOf(first), Object.fromEntries(ends)];
};
const expand = ([source, first, topics]: Compact): Written => ({
  source,
  first: positionOf(first),
  lanes: Object.entries(topics).flatMap(([topic, lanes]) =>
    lanes.map(([lane, ...last]) => ({ topic, lane, last: positionOf(last) })),
  ),
});
const placeOf = ({ era, tx, position }: FeedPosition): CompactPosition => [era, tx, position];
const positionOf = ([era, tx, position]: CompactPosition): FeedPosition => ({ era, tx, position });

const notAToken = (detail: string) =>
  invalidInput({ pointer: `/headers/${CONSISTENCY_TOKEN}`, code: 'not-a-token', detail });

export type TokenOf = (published: Published) => string;
/** Tells with an answer where what was published lies, where anything was. */
export const answerToken = (reply: FastifyReply, tokenOf: TokenOf, published: Published | undefined): void => {
  if (published) reply.header(CONSISTENCY_TOKEN, tokenOf(published));
};

/** Nobody knows when: what failed is tried again ever more rarely, or waits for a hand. */
const RETRY_WHERE_PARKED = { 'retry-after': '30' };

/**
 * Lets the reads of a scope wait for what their tokens name. After all checks: a request that would be refused anyway
 * does not wait. `catchUp` is missing where the service hears of nobody.
 */
export const awaitWrites = (
  scope: FastifyInstance,
  tokens: ConsistencyTokens,
  catchUp: CatchUp = async () => 'reached',
): void => {
  const reached = async (header: string): Promise<void> => {
    const outcome = await catchUp(tokens.read(header));
    if (outcome === 'behind') throw refuse('projection-behind', { headers: RETRY_AFTER });
    if (outcome === 'parked') throw refuse('projection-behind', { headers: RETRY_WHERE_PARKED });
  };
  scope.addHook('preHandler', (request, _reply, done) => {
    const header = isRead(request) ? request.headers[CONSISTENCY_TOKEN] : undefined;
    if (header === undefined) done();
    else reached(String(header)).then(() => done(), done);
  });
};
/** Whether an answer must not be older than the request: nothing is answered from memory then. */
export const bringsToken = ({ headers }: FastifyRequest): boolean => headers[CONSISTENCY_TOKEN] !== undefined;
const isRead = ({ method }: FastifyRequest): boolean => method === 'GET' || method === 'HEAD';
