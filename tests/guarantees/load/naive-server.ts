/** A naive server beside ours, asked all the time: it has no time limit, and expects its connections to last. */
import { setTimeout as pause } from 'node:timers/promises';
import { answering } from '../../e2e/support/product.ts';
import { atLeast, type Bounds, type Figures, type Stage } from '../kit/scenario.ts';
import type { Installation } from '../kit/world.ts';

const ENDED = 'a naive server beside it: ended';
const SLOWEST = 'a naive server beside it: slowest, ms';
/** What it must do wrong for a scenario to prove anything. */
export const NAIVE_SERVER_ENDED: Bounds = { [ENDED]: atLeast(1) };
export const naiveServerSlow = (ms: number): Bounds => ({ [SLOWEST]: atLeast(ms) });

const CLIENTS = 4;

/** On the database of an installation that runs. It may be away from then on; `stop` ends it, and tells how it fared. */
export const startNaiveServer = async ({ world }: Stage, installation: Installation) => {
  const database = { ...(await installation.address()), application_name: 'taskwire naive' };
  const env = { DATABASE: JSON.stringify(database), HABIT: 'forgets-keys' };
  const server = await answering(world.program('tests/guarantees/naive/server.ts', [], { env }));
  let slowest = 0;
  const asking = async (): Promise<void> => {
    while (server.running()) {
      const began = performance.now();
      const asked = fetch(`${server.url}/api/v1/tasks`, { method: 'POST', body: '{"title":"naive"}' });
      const isAnswered = await asked.then((answer) => answer.arrayBuffer()).catch(() => undefined);
      if (isAnswered) slowest = Math.max(slowest, performance.now() - began);
      await pause(20);
    }
  };
  const clients = Array.from({ length: CLIENTS }, asking);
  return {
    stop: async (): Promise<Figures> => {
      const ended = server.running() ? 0 : 1;
      server.signal('SIGKILL');
      await Promise.all(clients);
      return { [ENDED]: ended, [SLOWEST]: Math.round(slowest) };
    },
  };
};
