/** A wire between a client and the database that breaks where a test says: at COMMIT, before or after it went through. */
import { once } from 'node:events';
import net from 'node:net';
import type { DatabaseAddress } from '../../src/platform/sql/connection.ts';

/**
 * What happens to the next COMMIT, once: cut before it is passed on, cut after it, nothing passed in any direction from
 * then on (on this connection, or on all and on every new one), or nothing answered though it was passed on.
 */
export type Break = 'cut-before' | 'cut-after' | 'silent' | 'all-silent' | 'unanswered';

export const openProxy = async (server: DatabaseAddress) => {
  let planned: { at: string; how: Break } | undefined;
  let silent = false;
  let commits = 0;
  const sockets = new Set<net.Socket>();

  const wire = (client: net.Socket): void => {
    const { host, port } = server;
    const upstream = net.connect(host.startsWith('/') ? { path: `${host}/.s.PGSQL.${port}` } : { host, port });
    let broken = false;
    let deaf = false;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        if (!broken) upstream.destroy();
      });
    }
    const cut = () => {
      broken = true;
      client.destroy();
    };
    client.on('data', (bytes) => {
      if (silent || broken) return;
      const isCommit = bytes.includes('commit\0');
      if (isCommit) commits += 1;
      const how = planned && bytes.includes(planned.at) ? planned.how : undefined;
      if (how !== undefined) planned = undefined;
      switch (how) {
        case undefined:
          upstream.write(bytes);
          return;
        case 'cut-before':
          cut();
          upstream.destroy();
          return;
        case 'cut-after':
          upstream.write(bytes);
          cut();
          upstream.end();
          return;
        case 'unanswered':
          deaf = true;
          upstream.write(bytes);
          return;
        case 'silent':
          broken = true;
          return;
        case 'all-silent':
          silent = true;
          return;
      }
    });
    upstream.on('data', (bytes) => {
      if (!silent && !broken && !deaf) client.write(bytes);
    });
  };

  const listener = net.createServer(wire).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as net.AddressInfo;
  return {
    address: { ...server, host: '127.0.0.1', port },
    /** Breaks at the next COMMIT, or at the next message with other words in it. */
    breakNext: (how: Break, at = 'commit\0'): void => {
      planned = { at, how };
    },
    speak: (): void => {
      silent = false;
      for (const socket of sockets) socket.destroy(); // what was said into the silence is lost
    },
    /** How many COMMITs came by. */
    commits: () => commits,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      listener.close();
      await once(listener, 'close');
    },
  };
};
