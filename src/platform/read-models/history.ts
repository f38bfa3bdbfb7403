/** What happened to one aggregate, told as the differences that each event made to what people see of it. */
import { type Changes, changesBetween, type Event } from '../decider.ts';
import type { RecordedEvent } from '../event-store/event.ts';
import type { ReadModel } from './fold.ts';

export type HistoryEntry = {
  readonly version: number;
  readonly type: string;
  readonly actor: string;
  readonly at: string;
  readonly requestId: string;
  /** `{field: {from, to}}`; at the birth, `from` is null. */
  readonly changes: Changes<Record<string, unknown>>;
};

/** Fields that every event changes: they are told by the entry itself. */
const TOLD_BY_THE_ENTRY = new Set(['id', 'version', 'updatedAt']);

/** The events of one stream, from its first on, as changes of the resource that `present` shows; oldest first. */
export const historyOf = <Row, E extends Event>(
  readModel: Pick<ReadModel<Row, E>, 'apply'>,
  present: (row: Row) => object,
  events: readonly RecordedEvent<E>[],
): readonly HistoryEntry[] => {
  let row: Row | undefined;
  return events.map(({ event, meta, metadata }) => {
    const before = row === undefined ? {} : shown(present(row));
    row = readModel.apply(row, event, meta);
    const after = shown(present(row));
    const absent = Object.fromEntries(Object.keys(after).map((field) => [field, null]));
    return {
      version: meta.version,
      type: event.type,
      actor: meta.actor,
      at: meta.occurredAt,
      requestId: metadata.requestId,
      changes: changesBetween<Record<string, unknown>>({ ...absent, ...before }, after),
    };
  });
};

const shown = (resource: object): Record<string, unknown> =>
  Object.fromEntries(Object.entries(resource).filter(([field]) => !TOLD_BY_THE_ENTRY.has(field)));
