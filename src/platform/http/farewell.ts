/**
 * How a process stops behind which others go on: so that no request is lost, not even one that must not be sent twice.
 *
 *   2 s     it serves as ever, but says that it is not ready, and whoever balances over copies goes elsewhere. Clients are told
 *           with every answer to let go of a connection that was idle for three seconds, before it was five
 *   3.5 s   nobody new is let in, and each connection is closed behind its next answer; those that nobody uses are left alone
 *           until their clients have let go of them
 *   2 s     what is still under way is finished, then everything is closed
 *
 * Each step ends sooner where there are no connections left. Closing idle connections at once is what loses requests: one
 * that is on its way when its connection closes cannot be told from one that was carried out. So does closing them while
 * others are still let in: their clients come back here, and one of them as the door falls shut (see nobodyWaits).
 */
import type { IncomingMessage } from 'node:http';
import { Server } from 'node:net';
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';

const SERVE_ON = 2_000;
const LEFT_ALONE = 3_500;
const FINISH = 2_000;
/** Whoever honours them never sends on a connection that we may just be closing. Proxies in front may keep theirs longer. */
const LET_GO = { staying: 'timeout=5', leaving: 'timeout=3' } as const;

/** Must be called before the server is ready. */
export const tellWhenLeaving = (app: FastifyInstance, isLeaving: () => boolean): void => {
  app.addHook('onSend', async (request, reply) => {
    if (isLeaving() && !app.server.listening) reply.header('connection', 'close');
    else if (staysOpen(request.raw))
      reply.headers({ connection: 'keep-alive', 'keep-alive': LET_GO[isLeaving() ? 'leaving' : 'staying'] });
  });
};
const staysOpen = ({ httpVersion, headers }: IncomingMessage): boolean =>
  httpVersion === '1.1' && !/close/i.test(headers.connection ?? '');

/**
 * The system takes connections for us before we do, and resets those that it still holds when we listen no more, with
 * whatever was sent on them. Each turn of the event loop takes one; so we stop right behind a short turn that found none.
 */
const nobodyWaits = async (server: Server): Promise<void> => {
  let found = false;
  const note = () => {
    found = true;
  };
  server.on('connection', note);
  const giveUp = performance.now() + PATIENCE;
  for (let began = performance.now(); began < giveUp; began = performance.now()) {
    found = false;
    await nextTurn();
    if (!found && performance.now() - began < SHORT) break;
  }
  server.off('connection', note);
};
const PATIENCE = 1_000;
const SHORT = 0.3;

/** Resolves once nobody is connected any more, within 7.5 s; what the routes need may then go. */
export const takeLeave = async (app: FastifyInstance): Promise<void> => {
  const { server } = app;
  if (server.listening) {
    await pause(SERVE_ON);
    await nobodyWaits(server);
    // As a TCP server: an HTTP server closes what is idle in the same breath.
    const ended = new Promise<unknown>((resolve) => Server.prototype.close.call(server, resolve));
    await Promise.race([ended, pause(LEFT_ALONE)]);
    server.closeIdleConnections();
    const patience = setTimeout(() => server.closeAllConnections(), FINISH);
    await ended;
    clearTimeout(patience);
  }
  await app.close();
};
