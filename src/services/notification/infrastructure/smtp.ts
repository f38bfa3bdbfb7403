/** Mails by SMTP: a connection for each, which nothing outlives. */
import { createTransport } from 'nodemailer';
import { MailRefused, type MailTransport } from './mail-transport.ts';

/** ms without a sign of life from the other side; all together are bounded by the signal. */
const SILENCE = 10_000;

/**
 * `smtps://` speaks TLS from the start. `smtp://` changes to it where the server offers it; with `?tls=required`, or with
 * a password, it sends nothing in clear; with `?tls=off` everything.
 */
export const createSmtpTransport = (address: string): MailTransport => {
  const transport = createTransport({
    ...optionsOf(new URL(address)),
    connectionTimeout: SILENCE,
    greetingTimeout: SILENCE,
    socketTimeout: SILENCE,
    dnsTimeout: SILENCE,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return {
    provider: 'smtp',
    send: async (mail, signal) => {
      try {
        await transport.sendMail({ ...mail, signal, headers: { 'Auto-Submitted': 'auto-generated' } });
      } catch (error) {
        throw isNodemailerError(error) ? refusedFor(error) : error;
      }
    },
  };
};

const optionsOf = ({ protocol, hostname, port, username, password, searchParams }: URL) => {
  const tls = searchParams.get('tls');
  return {
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    ...(port !== '' && { port: Number(port) }),
    secure: protocol === 'smtps:',
    requireTLS: tls === 'required' || (username !== '' && tls !== 'off'),
    ignoreTLS: tls === 'off',
    ...(username !== '' && { auth: { user: decodeURIComponent(username), pass: decodeURIComponent(password) } }),
  };
};

type NodemailerError = Error & {
  readonly code: string;
  readonly command?: string;
  readonly responseCode?: number;
  readonly originalCode?: string;
};
const isNodemailerError = (error: unknown): error is NodemailerError =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' && /^E[A-Z]+$/.test(error.code);

/** What the server said of the mail itself. All else it says of us (who we are, whether we may), and that can be mended. */
const OF_THE_MAIL = ['MAIL FROM', 'RCPT TO', 'DATA'];
/** Said at any command, and meaning that we should have logged in. */
const LOG_IN_FIRST = [530, 534, 535, 538];

/** The error's words are left behind: a server quotes the address in them. */
const refusedFor = ({ code, command = '', responseCode, originalCode }: NodemailerError): MailRefused => {
  if (code === 'ETLS') return new MailRefused('transient', 'tls-failed'); // whatever the server said to it
  if (responseCode !== undefined) {
    const permanent = responseCode >= 500 && OF_THE_MAIL.includes(command) && !LOG_IN_FIRST.includes(responseCode);
    return new MailRefused(permanent ? 'permanent' : 'transient', `smtp-${responseCode}`);
  }
  switch (code) {
    case 'EENVELOPE':
      return new MailRefused('permanent', 'address-invalid');
    case 'EMESSAGE':
      return new MailRefused('permanent', 'too-large');
    case 'EABORT':
    case 'ETIMEDOUT':
      return new MailRefused('transient', 'timeout');
    case 'ESOCKET':
      return new MailRefused('transient', ofSocket(originalCode));
    case 'ECONNECTION':
      return new MailRefused('transient', 'connection-lost');
    case 'EDNS':
      return new MailRefused('transient', 'host-unknown');
    default:
      return new MailRefused('transient', `smtp-${code.toLowerCase()}`);
  }
};

const ofSocket = (code = ''): string => {
  if (code === 'ECONNREFUSED') return 'connection-refused';
  return /CERT|TLS|SSL/.test(code) ? 'tls-failed' : 'connection-lost';
};
