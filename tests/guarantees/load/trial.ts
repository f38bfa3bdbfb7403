/**
 * An installation under load: writers whose commands are kept in a ledger, people who come by, and in the end the
 * comparison of what was answered, what is stored, and what followed from it.
 */
import type { Server } from '../../e2e/support/product.ts';
import { atLeast, type Bounds, type Figures, NONE, type Stage } from '../kit/scenario.ts';
import type { Installation } from '../kit/world.ts';
import { drained, EFFECTS_KEPT } from './effects.ts';
import { NAIVE_CONSUMER_WRONG, naiveFigures, startNaiveConsumer } from './naive-consumer.ts';
import { type People, startPeople } from './people.ts';
import { COMMANDS_KEPT, productOn } from './product.ts';
import { type End, storm } from './storm.ts';
import type { LogIn, Writers } from './writers.ts';

export type Under = {
  readonly installation: Installation;
  readonly server: Server;
  readonly writers: Writers;
  readonly people: People;
};
export type Trial = {
  readonly installation?: Installation;
  readonly ends?: readonly End[];
  /** What is done to it under load. */
  readonly meanwhile?: (under: Under) => Promise<Figures>;
  /** More to look at, once all is quiet. */
  readonly afterwards?: (server: Server, logIn: LogIn) => Promise<Figures>;
  /** With the naive consumer beside it, which must be found out. */
  readonly naive?: boolean;
  readonly writers?: number;
  readonly rest?: number;
  /** ms in which all that was to follow must have. */
  readonly patience?: number;
};

const EVERY = 150;

export const trial = async ({ world, report }: Stage, options: Trial): Promise<Figures> => {
  const { ends = [], meanwhile, naive = false, patience = 60_000 } = options;
  const installation = options.installation ?? (await world.install());
  const system = productOn(installation);
  const people = startPeople(EVERY);
  const start = async (failPoint?: string): Promise<Server> => {
    const server = await system.start(failPoint);
    people.moveTo(server.url);
    if (naive) {
      const beside = await startNaiveConsumer(world, installation).catch(async (error: unknown) => {
        // One that came by its fail point as it started is gone, or on its way: there is nobody to stand beside.
        if (failPoint === undefined || (await server.exit).signal !== 'SIGKILL') throw error;
      });
      void server.exit.then(() => beside?.signal('SIGKILL'));
    }
    return server;
  };
  const under = storm(
    { ...system, start },
    {
      ends,
      report,
      ...(options.writers !== undefined && { writers: options.writers }),
      ...(options.rest !== undefined && { rest: options.rest }),
      meanwhile: async (server, writers) => meanwhile?.({ installation, server, writers, people }),
      afterwards: async (server, logIn) => {
        await people.stop();
        const lost = await people.lostAt(server.url);
        return {
          'people who registered': people.acknowledged.length,
          'people lost': lost,
          ...(await drained(installation.sql, patience)),
          ...(naive && (await naiveFigures(installation))),
          ...(await options.afterwards?.(server, logIn)),
        };
      },
    },
  );
  return under.finally(people.stop);
};

/** What must hold of every trial: nothing lost, doubled or out of order, of commands and of what follows from them. */
export const ALL_KEPT: Bounds = {
  ...COMMANDS_KEPT,
  ...EFFECTS_KEPT,
  'people lost': NONE,
  // It was really under load.
  acknowledged: atLeast(50),
  'people who registered': atLeast(2),
  'effects wanted': atLeast(15),
};
export { NAIVE_CONSUMER_WRONG };
