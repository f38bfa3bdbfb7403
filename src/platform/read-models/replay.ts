/** All streams of an inline read model, folded again from their first event. */
import type { EventCatalog } from '../event-store/catalog.ts';
import { openSealed } from '../event-store/codec.ts';
import { type SealedEvent, streamId } from '../event-store/event.ts';
import type { KeyRing } from '../keys/key-ring.ts';
import { type Session, statement } from '../sql/database.ts';
import type { InlineReadModel } from './inline.ts';

/** What opens sealed events. */
export type Opening = { readonly catalog: EventCatalog; readonly keys: KeyRing };
/** Some rows, each folded from its whole stream, and how many events were read for them and for what is still to come. */
export type Replayed = { readonly rows: readonly unknown[]; readonly events: number };

type Page = readonly (SealedEvent & { readonly occurredAt: string; readonly actor: string })[];
const SEALED = `id, stream, version, subject, type, schema_version as "schemaVersion", data,
  metadata ->> 'occurredAt' as "occurredAt", metadata ->> 'actor' as actor`;
/** Few enough that their rows are written in far less than a second, which is how long a transaction of ours may write. */
const PAGE_SIZE = 2_000;
const PAGE = statement(
  'replay-page',
  `select ${SEALED} from event where (stream, version) > ($1, $2) and stream < $3
   order by stream, version limit ${PAGE_SIZE}`,
);
const STREAMS = statement(
  'replay-streams',
  `select ${SEALED} from event where stream = any($1) order by stream, version`,
);

/** The names of all streams of a prefix lie after the one and before the other: '.' follows '-'. */
export const streamRange = (prefix: string): readonly [after: string, before: string] => [`${prefix}-`, `${prefix}.`];

/**
 * Each row as its stream makes it, in the order of the streams' names. A page is read while the one before it is folded.
 * Throws what stops a fold: UnknownEvent, a stream that does not begin as streams do, a key that is not there.
 */
export async function* replay(session: Session, opening: Opening, model: InlineReadModel): AsyncGenerator<Replayed> {
  const [start, end] = streamRange(model.streamPrefix);
  const readAfter = (stream: string, version: number) => {
    const page = session.query<Page[number]>(PAGE, [stream, version, end]);
    page.catch(() => undefined); // who folds may have thrown before they ask for it
    return page;
  };
  const fold = folding(opening, model);
  for (let page = readAfter(start, 0); ; ) {
    const { rows: events } = await page;
    const last = events.at(-1);
    if (last === undefined) break;
    page = readAfter(last.stream, last.version);
    yield { rows: await fold.take(events), events: events.length };
  }
  yield { rows: fold.end(), events: 0 };
}

/** The rows of some streams. */
export const replayStreams = async (
  session: Session,
  opening: Opening,
  model: InlineReadModel,
  streams: readonly string[],
): Promise<readonly unknown[]> => {
  const fold = folding(opening, model);
  const { rows: events } = await session.query<Page[number]>(STREAMS, [streams]);
  return [...(await fold.take(events)), ...fold.end()];
};

/** Folds events that come stream by stream. A row is finished when another stream begins, or nothing comes any more. */
const folding = ({ catalog, keys }: Opening, { apply }: InlineReadModel) => {
  let stream: string | undefined;
  let row: unknown;
  return {
    take: async (events: Page): Promise<readonly unknown[]> => {
      const keyOf = await keys.keysOf(events.map(({ subject }) => subject));
      const finished: unknown[] = [];
      for (const event of events) {
        if (event.stream !== stream) {
          if (stream !== undefined) finished.push(row);
          [stream, row] = [event.stream, undefined];
        }
        const { version, occurredAt, actor } = event;
        const meta = { streamId: streamId(stream), version, occurredAt, actor };
        row = apply(row, openSealed(catalog, event, keyOf), meta);
      }
      return finished;
    },
    end: (): readonly unknown[] => (stream === undefined ? [] : [row]),
  };
};
