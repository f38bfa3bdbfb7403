/** A mail server that behaves as a test says. */
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { parseMail, type ReceivedMail } from './mime.ts';

/** What it does to the mails that come now. */
export type Behaviour =
  | { readonly kind: 'answers'; readonly at: 'connect' | 'sender' | 'recipient' | 'end'; readonly code: number }
  /** middle: of the mail; accepted: right behind the answer that it is. */
  | { readonly kind: 'cuts'; readonly at: 'connect' | 'middle' | 'accepted' }
  /** Keeps the mail, and says so this late. */
  | { readonly kind: 'waits'; readonly ms: number };

export type MailServer = {
  readonly port: number;
  /** What it accepted, in order. */
  readonly received: readonly ReceivedMail[];
  behave(behaviour: Behaviour | undefined): void;
  close(): Promise<void>;
};

const refusal = (responseCode: number) => Object.assign(new Error('so the test says'), { responseCode });

export const startMailServer = async (options: SMTPServerOptions = {}): Promise<MailServer> => {
  const received: ReceivedMail[] = [];
  const sockets = new Set<Socket>();
  let behaviour: Behaviour | undefined;
  const answersAt = (step: string) =>
    behaviour?.kind === 'answers' && behaviour.at === step ? refusal(behaviour.code) : undefined;
  const cuts = (step: string) => behaviour?.kind === 'cuts' && behaviour.at === step;
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };

  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    onConnect: (_session, done) => (cuts('connect') ? cut() : done(answersAt('connect'))),
    onMailFrom: (_address, _session, done) => done(answersAt('sender')),
    onRcptTo: (_address, _session, done) => done(answersAt('recipient')),
    onData: (stream, _session, done) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => (cuts('middle') ? cut() : chunks.push(chunk)));
      stream.on('end', async () => {
        const refused = answersAt('end');
        if (refused) return done(refused);
        received.push(parseMail(Buffer.concat(chunks).toString('latin1')));
        if (behaviour?.kind === 'waits') await pause(behaviour.ms);
        done(null, 'accepted');
        if (cuts('accepted')) for (const socket of sockets) socket.end(() => socket.destroy());
      });
    },
    ...options,
  });
  server.on('error', () => undefined); // of connections that break, which is what they are to do
  const { server: listener } = server;
  listener.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  return {
    port: (listener.address() as AddressInfo).port,
    received,
    behave: (next) => {
      behaviour = next;
    },
    close: async () => {
      cut();
      await new Promise<void>((done) => server.close(done));
    },
  };
};
