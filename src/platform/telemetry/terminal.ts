/** Log entries as a person reads them in a terminal; machines get the JSON. */
import type { DestinationStream } from 'pino';

const LEVELS: Readonly<Record<number, string>> = { 20: 'debug', 30: '', 40: 'warn', 50: 'error' };
type Entry = { readonly level: number; readonly time: string; readonly msg: string } & Readonly<
  Record<string, unknown>
>;

/** `14:03:11 POST /api/v1/tasks 201 4.1 ms`; what is not a request tells its fields behind the message. */
const inWords = ({ level, time, msg, pid: _pid, ...fields }: Entry): string => {
  const { method, route, status, ms, error, ...others } = fields;
  const told =
    msg === 'request'
      ? [method, route, status, `${ms} ms`]
      : [msg, ...Object.entries(others).map(([name, value]) => `${name}=${value}`), error && JSON.stringify(error)];
  return [time.slice(11, 19), LEVELS[level], ...told].filter(Boolean).join(' ');
};

/** A destination for the log: each entry is one line of words. */
export const terminal = (out: { write(text: string): unknown }): DestinationStream => ({
  write: (line) => void out.write(`${inWords(JSON.parse(line))}\n`),
});
