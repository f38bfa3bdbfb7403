/** One attempt at one copy, over connections that are kept: how it ended, and the answer, as a stream where it is long. */
import type { Readable } from 'node:stream';
import { Pool } from 'undici';
import type { Headers } from './headers.ts';
import type { Unanswered } from './retry.ts';

export type UpstreamRequest = {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body: Buffer | undefined;
};
export type UpstreamAnswer = {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array | (Readable & { dump(options: { limit: number; signal: AbortSignal }): Promise<void> });
};
export type Attempt =
  | { readonly kind: 'answered'; readonly status: number; readonly answer: UpstreamAnswer }
  | { readonly kind: Unanswered; readonly error: unknown };

export type Transport = {
  /**
   * Never rejects. After `ms` without an answer, of a short one all, it is late; `gone` breaks it off, also while a long one
   * streams.
   */
  attempt(request: UpstreamRequest, ms: number, gone: AbortSignal): Promise<Attempt>;
  /** Waits for what is under way, `ms` at the most. */
  close(ms: number): Promise<void>;
};

const CONNECTIONS = 256;
const CONNECT_TIMEOUT = 1_000;
/** Of an answer that has begun: the longest silence in it. Streams of events say something more often than that. */
const SILENCE = 30_000;
/** Bytes up to which an answer is read whole: who reads it slowly holds no connection, and half of one is none. */
const SHORT = 256 * 1024;

/** `host` is the name under which the copy at `origin` was found. */
export const openTransport = (origin: string, host: string): Transport => {
  const pool = new Pool(origin, {
    connections: CONNECTIONS,
    pipelining: 1,
    headersTimeout: 0, // each attempt has a time of its own, below
    bodyTimeout: SILENCE,
    connect: {
      timeout: CONNECT_TIMEOUT,
      ...(origin.startsWith('https:') && { servername: host.replace(/:\d+$/, '') }),
    },
  });
  return {
    attempt: async ({ method, path, headers, body: sent }, ms, gone) => {
      const breaking = new AbortController();
      const leave = () => breaking.abort(GONE);
      const timer = setTimeout(() => breaking.abort(LATE), ms);
      if (gone.aborted) leave();
      gone.addEventListener('abort', leave, { once: true });
      try {
        const answer = await pool.request({
          method,
          path,
          body: sent ?? null,
          signal: breaking.signal,
          headers: { ...headers, host },
        });
        answer.body.once('close', () => gone.removeEventListener('abort', leave));
        const { statusCode: status, headers: told } = answer;
        const length = Number(told['content-length']); // NaN where it is not said
        const body = length > 0 && length <= SHORT ? await answer.body.bytes() : answer.body;
        return { kind: 'answered', status, answer: { status, headers: told, body } };
      } catch (error) {
        gone.removeEventListener('abort', leave);
        return { kind: endOf(error, breaking.signal.reason), error };
      } finally {
        clearTimeout(timer);
      }
    },
    close: async (ms) => {
      const patience = setTimeout(() => void pool.destroy(), ms);
      await pool.close().catch(() => undefined); // destroyed meanwhile
      clearTimeout(patience);
    },
  };
};

/** Reads an answer that nobody wants to its end, where that is near: its connection can be used again then. */
export const discard = async ({ body }: UpstreamAnswer, ms: number): Promise<void> => {
  if (body instanceof Uint8Array) return;
  const bounds = { limit: MOST_DISCARDED, signal: AbortSignal.timeout(ms) };
  await body.dump(bounds).catch(() => body.destroy()); // it is longer, or slower, than a connection is worth
};
const MOST_DISCARDED = 64 * 1024;

/** Undefined where it is longer than anything of ours. Rejects where it breaks off. */
export const wholeOf = async ({ body }: UpstreamAnswer): Promise<string | undefined> => {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of body instanceof Uint8Array ? [body] : body) {
    size += part.length;
    if (size > MOST) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
};
const MOST = 4 * 1024 * 1024;

/** Of an answer that is a problem. */
export const codeOf = ({ body }: UpstreamAnswer): unknown => {
  if (!(body instanceof Uint8Array)) return undefined;
  try {
    return Object(JSON.parse(Buffer.from(body).toString())).code;
  } catch {
    return undefined;
  }
};

const GONE = Symbol('whoever asked has gone');
const LATE = Symbol('its time is over');

/** Nothing is sent before there is a connection. Other codes, ETIMEDOUT and UND_ERR_DESTROYED among them, end one that stands. */
const NEVER_SENT = new Set(['UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_CLOSED']);
const endOf = (error: unknown, broken: unknown): Unanswered => {
  if (broken === GONE) return 'cancelled';
  if (broken === LATE) return 'late';
  if (!(error instanceof Error)) return 'lost';
  const { code = '', syscall }: NodeJS.ErrnoException = error;
  return syscall === 'connect' || NEVER_SENT.has(code) ? 'refused' : 'lost';
};
