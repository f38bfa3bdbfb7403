/**
 * JSON logs with fields by name: what is not on the list below cannot be logged by accident. No body, header, token
 * or personal field ever is; what is told of an error says error-words.ts.
 */
import { type DestinationStream, type Logger as Pino, pino } from 'pino';
import { describeError } from './error-words.ts';

/** `route` is the route's pattern, never the address with what a person typed into it. */
const TEXTS = [
  'requestId',
  'traceId',
  'method',
  'route',
  'code',
  'userId',
  'service',
  'signal',
  'url',
  'reason',
  'stream',
  'key',
  'topic',
  'source',
  'consumer',
  'work',
] as const;
const NUMBERS = ['status', 'ms', 'count'] as const;
export type LogFields = { readonly [Name in (typeof TEXTS)[number]]?: string | undefined } & {
  readonly [Name in (typeof NUMBERS)[number]]?: number | undefined;
} & { readonly error?: unknown };
export type Logger = {
  readonly [Level in 'debug' | 'info' | 'warn' | 'error']: (message: string, fields?: LogFields) => void;
};

/** `instance` is told on every line: which copy of a service says it. */
export const createLogger = (level: string, destination?: DestinationStream, instance?: string): Logger => {
  const base = { pid: process.pid, ...(instance !== undefined && { instance }) };
  const options = { level, base, timestamp: () => `,"time":"${new Date().toISOString()}"` };
  const out: Pino = destination ? pino(options, destination) : pino(options);
  const at =
    (name: 'debug' | 'info' | 'warn' | 'error') =>
    (message: string, { error, ...fields }: LogFields = {}) =>
      out[name]({ ...listed(fields), ...(error !== undefined && { error: describeError(error) }) }, message);
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
};

/** The compiler refuses other names where fields are written out; a variable may carry more than its type says. */
const listed = (fields: LogFields): object => {
  const kept: Record<string, string | number> = {};
  for (const name of TEXTS) if (typeof fields[name] === 'string') kept[name] = fields[name];
  for (const name of NUMBERS) if (typeof fields[name] === 'number') kept[name] = fields[name];
  return kept;
};
