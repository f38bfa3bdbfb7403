/**
 * JSON logs with fields by name: what is not on the list below cannot be logged by accident. No body, header, token
 * or personal field ever is; of an error its name, code and stack frames, and its message unless it
 * comes from a driver or a parser, which quote what they were given.
 */
import { type DestinationStream, type Logger as Pino, pino } from 'pino';

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
] as const;
const NUMBERS = ['status', 'ms', 'count'] as const;
export type LogFields = { readonly [Name in (typeof TEXTS)[number]]?: string | undefined } & {
  readonly [Name in (typeof NUMBERS)[number]]?: number | undefined;
} & { readonly error?: unknown };
export type Logger = {
  readonly [Level in 'debug' | 'info' | 'warn' | 'error']: (message: string, fields?: LogFields) => void;
};

export const createLogger = (level: string, destination?: DestinationStream): Logger => {
  const options = { level, base: { pid: process.pid }, timestamp: () => `,"time":"${new Date().toISOString()}"` };
  const out: Pino = destination ? pino(options, destination) : pino(options);
  const at =
    (name: 'debug' | 'info' | 'warn' | 'error') =>
    (message: string, { error, ...fields }: LogFields = {}) =>
      out[name]({ ...listed(fields), ...(error !== undefined && { error: describe(error) }) }, message);
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
};

/** The compiler refuses other names where fields are written out; a variable may carry more than its type says. */
const listed = (fields: LogFields): object => {
  const kept: Record<string, string | number> = {};
  for (const name of TEXTS) if (typeof fields[name] === 'string') kept[name] = fields[name];
  for (const name of NUMBERS) if (typeof fields[name] === 'number') kept[name] = fields[name];
  return kept;
};

/** A driver's message may quote a value ("invalid input syntax for type uuid: …"), so only SQLSTATE and names are kept. */
const describe = (error: unknown): object => {
  if (!(error instanceof Error)) return { name: typeof error };
  const quotes = 'severity' in error || 'sqlState' in error || error instanceof SyntaxError;
  const cause = error.cause === undefined ? {} : { cause: describe(error.cause) };
  return {
    name: error.name,
    ...('code' in error && { code: error.code }),
    ...('sqlState' in error && { code: error.sqlState }),
    ...('constraint' in error && { constraint: error.constraint }),
    ...(!quotes && !('cause' in error && error.cause !== undefined) && { message: error.message }),
    stack: error.stack
      ?.split('\n')
      .filter((line) => line.startsWith('    at '))
      .slice(0, 12)
      .join('\n'),
    ...cause,
  };
};
