/** A real SMTP server that takes its time, and remembers every mail that it began to take and every one that it took. */
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { SMTPServer } from 'smtp-server';

export type Attempt = {
  readonly messageId: string;
  /** Of whom and of what: what people would know a mail by, whatever its Message-ID says. */
  readonly mail: string;
  /** ms of performance.now(). */
  readonly began: number;
  accepted?: number;
};
export type MailServer = {
  readonly url: string;
  readonly attempts: readonly Attempt[];
  close(): Promise<void>;
};

/** Takes up to so many ms between the end of a mail and its acceptance. */
export const openMailServer = async (slowness: () => number): Promise<MailServer> => {
  const attempts: Attempt[] = [];
  const server = new SMTPServer({
    disabledCommands: ['AUTH', 'STARTTLS'],
    disableReverseLookup: true,
    onData: (stream, session, done) => {
      void (async () => {
        const text = Buffer.concat(await stream.toArray()).toString();
        const header = (name: string) => new RegExp(`^${name}: (.*)$`, 'im').exec(text)?.[1]?.trim() ?? '';
        const recipients = session.envelope.rcptTo.map(({ address }) => address).join(',');
        const attempt: Attempt = {
          messageId: header('Message-ID'),
          mail: `${recipients} ${header('Subject')}`,
          began: performance.now(),
        };
        attempts.push(attempt);
        await pause(slowness());
        // Whoever sent it may be dead by now: it was taken all the same.
        attempt.accepted = performance.now();
        done();
      })().catch(done);
    },
  });
  server.on('error', () => undefined); // connections that a kill broke
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.server.address() as AddressInfo;
  return {
    url: `smtp://127.0.0.1:${port}`,
    attempts,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
};
