/** What a service declares of a consumer: a name, what it hears, and what becomes of it. */
import type { CommandKit } from '../commit/command-handler.ts';
import type { Commit, RowWrite } from '../commit/commit.ts';
import type { Decided } from '../commit/observed.ts';
import type { EventCatalog } from '../event-store/catalog.ts';
import type { Table } from '../read-models/table.ts';
import type { Database } from '../sql/database.ts';
import type { Delivered } from './delivery.ts';

/** What shall be committed with the positions; and of which commands it is made, for whoever counts them once it is. */
export type Effects = Omit<Commit, 'idempotency'> & { readonly decided?: readonly Decided[] };
export const NO_EFFECTS: Effects = { appends: [], take: [], release: [], writes: [] };

/** What a consumer's handling may use: its own service, and nothing else. */
export type ConsumerKit = {
  readonly commands: CommandKit;
  readonly database: Database;
  /** Whether more than so many ms have passed since an instant, by the database's clock. */
  readonly isOlder: (instant: string, ms: number) => Promise<boolean>;
};

/** A consumer, closed: what events it is made for only its constructors (policy, projection) know. */
export type Consumer = {
  /** `<service>.<what>`: where it stands is kept under this name, so it is never changed. */
  readonly name: string;
  readonly kind: 'policy' | 'projection';
  /** Where its first reading begins. Fixed at its first registration. */
  readonly begins: 'beginning' | 'now';
  /** The types that it handles; all others of their topics it passes over. */
  readonly types: readonly string[];
  /** The table that it keeps. */
  readonly table: Table<unknown>;
  /**
   * What some events make of the rows in `table` (or another one of its kind), and nothing else that handling them does:
   * for making the table anew.
   */
  readonly fold: (
    database: Pick<Database, 'read'>,
    table: Table<unknown>,
    events: readonly Delivered[],
  ) => Promise<readonly RowWrite[]>;
  /**
   * Handles events in their order, and has `commit` write what comes of them, once. Throws what is wrong with an event;
   * an outcome that is to be expected, such as a foreseen rejection, must not throw.
   */
  readonly handle: <V>(
    kit: ConsumerKit,
    events: readonly Delivered[],
    commit: (effects: Effects) => Promise<V>,
  ) => Promise<V>;
};

/** The sources that a consumer hears, and which topics of theirs. Throws for a type that is no public event. */
export const sourcesOf = (
  catalog: EventCatalog,
  { types }: Pick<Consumer, 'types'>,
): readonly { readonly source: string; readonly topics: readonly string[] }[] =>
  [...Map.groupBy(types, (type) => sourceOf(catalog, type))].map(([source, ofSource]) => ({
    source,
    topics: [...new Set(ofSource.map((type) => topicOf(catalog, type)))],
  }));

/** `user.events` is what the user service says. */
const sourceOf = (catalog: EventCatalog, type: string): string => topicOf(catalog, type).split('.', 1)[0] ?? '';
const topicOf = (catalog: EventCatalog, type: string): string => {
  const topic = catalog.get(type)?.topic;
  if (topic === undefined) throw new Error(`a consumer hears ${type}, which is no public event`);
  return topic;
};
