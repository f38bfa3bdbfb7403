/** Puts a system under load, kills it again and again, and then compares what it holds with what was answered. */
import { setTimeout as pause } from 'node:timers/promises';
import { asking } from '../e2e/support/client.ts';
import type { Run, Server } from '../e2e/support/product.ts';
import { compare, type Figures, type ShownTask, type StoredEvent } from './ledger.ts';
import { startWriters, type Writers } from './writers.ts';

export type System = {
  /** A process on the same data as those before it; with a fail point it kills itself there. */
  start(failPoint?: string): Promise<Server>;
  /** Whoever writes: a token. */
  person(url: string): Promise<string>;
  /** Every event of the store, read behind the system's back. */
  stored(): Promise<readonly StoredEvent[]>;
};

/** How a start ends: at a fail point, or by kill -9 after so many ms under load. */
export type End = { readonly failPoint: string } | { readonly after: number };

const WRITERS = 8;

/**
 * `ends` are the kills, one after another; `meanwhile` goes on after the last of them. Answers the figures and how many
 * processes were killed.
 */
export const storm = async (
  system: System,
  ends: readonly End[],
  meanwhile: (server: Server, writers: Writers) => Promise<void> = async () => undefined,
): Promise<{ readonly figures: Figures; readonly kills: number; readonly statuses: ReadonlyMap<number, number> }> => {
  const first = await system.start();
  const token = await system.person(first.url);
  await killed(first);
  const writers = startWriters(token, WRITERS);
  let kills = 0;
  for (const end of ends) {
    const server = await system.start('failPoint' in end ? end.failPoint : undefined);
    writers.moveTo(server.url);
    if ('after' in end) {
      await acknowledgedSince(writers);
      await pause(end.after); // at a random moment: what is awaited is none
      server.signal('SIGKILL');
    }
    const { signal } = await server.exit;
    if (signal !== 'SIGKILL') throw new Error(`it ended by itself: ${server.output()}`);
    kills += 1;
  }
  const last = await system.start();
  writers.moveTo(last.url);
  await meanwhile(last, writers);
  await writers.stop();
  const figures = compare(writers.entries, await system.stored(), await shownTasks(last.url, token));
  await killed(last);
  return { figures, kills, statuses: writers.statuses };
};

/** Something was acknowledged from now on: it is really under load. */
export const acknowledgedSince = async ({ entries }: Writers, bound = 20_000): Promise<void> => {
  const from = entries.length;
  const deadline = performance.now() + bound;
  while (!entries.slice(from).some(({ answered }) => answered === 'acknowledged')) {
    if (performance.now() > deadline) throw new Error(`nothing was acknowledged for ${bound} ms`);
    await pause(5);
  }
};

const killed = async (server: Run): Promise<void> => {
  server.signal('SIGKILL');
  await server.exit;
};

const shownTasks = async (url: string, token: string): Promise<readonly ShownTask[]> => {
  const ask = asking(url, token);
  const shown: ShownTask[] = [];
  for (let cursor: unknown = ''; cursor !== null; ) {
    const query = `limit=200&sort=createdAt${cursor ? `&cursor=${cursor}` : ''}`;
    const { body } = await ask('GET', `/api/v1/tasks?${query}`);
    const { items, nextCursor } = body as { items: Omit<ShownTask, 'history'>[]; nextCursor: string | null };
    const histories = await Promise.all(
      items.map(async ({ id }) => (await ask('GET', `/api/v1/tasks/${id}/history?limit=200`)).body),
    );
    items.forEach(({ id, version, title, status }, n) => {
      const { items: history } = histories[n] as { items: { version: number }[] };
      shown.push({ id, version, title, status, history: history.map((entry) => entry.version) });
    });
    cursor = nextCursor;
  }
  return shown;
};
