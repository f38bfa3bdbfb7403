/** The connections on which batches are committed: kept between batches, each in the era of the cluster it leads to. */
import { CURRENT_ERA } from '../event-store/store.ts';
import type { Database, Session } from '../sql/database.ts';

/** A connection that has compared its cluster with the store's record. */
export type Line = { readonly session: Session; readonly era: number };

export type Lines = {
  /** One that was kept, or a new one. `kept` may have died since it was last used. */
  take(): Promise<Line & { readonly kept: boolean }>;
  /** Takes a line back whose transaction is over. */
  keep(line: Line): void;
  /** Rolls back, and keeps the line; drops it when that fails, for its end ends the transaction too. */
  rollBack(line: Line): Promise<void>;
  close(): Promise<void>;
};

/** Resolves where a store may be written to in a life of its (see CURRENT_ERA); rejects as a commit shall. */
export type Admit = (life: string) => Promise<void>;

/** No line at first; one is opened whenever none is kept. What `admit` rejects with, `take` rejects with. */
export const createLines = (database: Database, admit: Admit): Lines => {
  const idle: Line[] = [];
  const open = async (): Promise<Line> => {
    const session = await database.openSession();
    try {
      const [here] = (await session.query<{ era: number; life: string }>(CURRENT_ERA)).rows;
      if (here === undefined) throw new Error('the store did not answer');
      await admit(here.life);
      return { session, era: here.era };
    } catch (error) {
      await session.close();
      throw error;
    }
  };
  return {
    take: async () => {
      const kept = idle.pop();
      return kept ? { ...kept, kept: true } : { ...(await open()), kept: false };
    },
    keep: (line) => void idle.push(line),
    rollBack: async (line) => {
      try {
        await line.session.query('rollback');
        idle.push(line);
      } catch {
        await line.session.close(); // the caller tells the error that led here
      }
    },
    close: async () => {
      await Promise.all(idle.splice(0).map(({ session }) => session.close()));
    },
  };
};
