/**
 * JSON logs with fields by name: what is not on the list below cannot be logged by accident. No body, header, token
 * or personal field ever is; of an error its name, code and stack frames, and its message only when we wrote it.
 */
import { type DestinationStream, type Logger as Pino, pino } from 'pino';

export type LogFields = {
  readonly requestId?: string;
  readonly traceId?: string;
  readonly method?: string;
  /** The route's pattern, never the address with what a person typed into it. */
  readonly route?: string;
  readonly status?: number;
  readonly code?: string;
  readonly ms?: number;
  readonly userId?: string;
  readonly service?: string;
  readonly signal?: string;
  readonly url?: string;
  readonly reason?: string;
  readonly count?: number;
  readonly error?: unknown;
};
export type Logger = {
  readonly [Level in 'debug' | 'info' | 'warn' | 'error']: (message: string, fields?: LogFields) => void;
};

export const createLogger = (level: string, destination?: DestinationStream): Logger => {
  const options = { level, base: { pid: process.pid }, timestamp: () => `,"time":"${new Date().toISOString()}"` };
  const out: Pino = destination ? pino(options, destination) : pino(options);
  const at =
    (name: 'debug' | 'info' | 'warn' | 'error') =>
    (message: string, { error, ...fields }: LogFields = {}) =>
      out[name]({ ...fields, ...(error !== undefined && { error: describe(error) }) }, message);
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
};

/** A driver's message may quote a value ("invalid input syntax for type uuid: …"), so only SQLSTATE and names are kept. */
const describe = (error: unknown): object => {
  if (!(error instanceof Error)) return { name: typeof error };
  const fromDriver = 'severity' in error || 'sqlState' in error;
  const cause = error.cause === undefined ? {} : { cause: describe(error.cause) };
  return {
    name: error.name,
    ...('code' in error && { code: error.code }),
    ...('sqlState' in error && { code: error.sqlState }),
    ...('constraint' in error && { constraint: error.constraint }),
    ...(!fromDriver && !('cause' in error && error.cause !== undefined) && { message: error.message }),
    stack: error.stack
      ?.split('\n')
      .filter((line) => line.startsWith('    at '))
      .slice(0, 12)
      .join('\n'),
    ...cause,
  };
};
