/**
 * Answers that are made of many rows of one owner, counts above all, kept in the cache until one of those rows is
 * written. The commit that writes it drops them before anyone is told of it (executor), so whoever was told finds what
 * they wrote. A rebuild, which commits no rows of anybody's, is seen once an answer ceases to hold.
 */
import type { Cache } from '../cache/cache.ts';
import type { RowWrite } from '../commit/commit.ts';
import type { Table } from './table.ts';

/** To be selected beside an answer, by the same statement: every transaction below it is over, and was seen by it. */
export const SNAPSHOT = 'pg_snapshot_xmin(pg_current_snapshot())::text::bigint as snapshot';
export type Count = { readonly count: number; readonly snapshot: number };

export type Kept = {
  /** How many rows of a table, of one owner; `name` is what else they were chosen by. */
  count(what: Counting, ask: () => Promise<Count>): Promise<number>;
  /** Drops what was kept of the owners of these rows. Must be over before their commit is answered. */
  written(tx: string, writes: readonly RowWrite[]): Promise<void>;
};
type Counting = {
  readonly of: Table<unknown>;
  readonly owner: string;
  readonly name: unknown;
  /** A kept answer will not do: the request brings a Consistency-Token, or time alone changes the count. */
  readonly fresh?: boolean;
};

/** `schema` tells the tables of this service from those of others that share the cache. */
export const openKept = (cache: Cache, schema: string): Kept => {
  const scopeOf = (table: Table<unknown>, owner: string) => `${schema}.${table.name} ${owner}`;
  return {
    count: async ({ of, owner, name, fresh = false }, ask) => {
      if (fresh) return (await ask()).count;
      const slot = { scope: scopeOf(of, owner), name: JSON.stringify(name) };
      const found = await cache.get(slot);
      if ('value' in found && typeof found.value === 'number') return found.value;
      const { count, snapshot } = await ask();
      if ('miss' in found && found.miss) void cache.set(slot, found.miss, count, snapshot);
      return count;
    },
    written: async (tx, writes) => {
      const scopes = writes.flatMap((write) => {
        if (!('upsert' in write) || write.upsert.keptBy === undefined) return [];
        const owner = Reflect.get(write.row, write.upsert.keptBy);
        return typeof owner === 'string' ? [scopeOf(write.upsert, owner)] : [];
      });
      if (scopes.length > 0) await cache.drop([...new Set(scopes)], Number(tx));
    },
  };
};
