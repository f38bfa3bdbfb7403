/** Asks over HTTP and tells what came back: each step says what to notice, what was sent, and what was answered. */
import { STATUS_CODES } from 'node:http';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [field: string]: Json };
export type Answer = { readonly status: number; readonly headers: Headers; readonly body: Json };
export type Step = {
  readonly notice: string;
  readonly method: string;
  readonly path: string;
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Json;
  /** The status that this step is told to get; another one ends the tour. */
  readonly expect: number;
  /** What happens by itself takes a moment: it is asked again until this holds, or the tour ends. */
  readonly until?: (body: Json) => boolean;
};

/** The tour cannot go on; the message says why and what to do. */
export class TourEnded extends Error {
  override readonly name = 'TourEnded';
}

export type Teller = { chapter(title: string): void; step(step: Step): Promise<Answer> };

/** Headers that the API's conventions are about. */
const SHOWN = ['etag', 'location', 'idempotency-replayed', 'retry-after', 'consistency-token'];
/** Names for logs, and times that every answer has. */
const UNSHOWN = new Set(['instance', 'requestId', 'traceId', 'createdAt', 'updatedAt']);
const LONGEST_TEXT = 44;
const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{6}([0-9a-f]{6})/g;
const MOST_ITEMS = 3;
const PATIENCE = 15_000;

export const createTeller = (baseUrl: string, print: (line: string) => void): Teller => {
  const bold = (text: string) => (process.stdout.isTTY ? `\u001b[1m${text}\u001b[0m` : text);
  let chapters = 0;
  return {
    chapter: (title) => {
      chapters += 1;
      print(`\n${bold(`${chapters}. ${title}`)}`);
    },
    step: async (step) => {
      print(`\n   ${step.notice}`);
      print(`   → ${requestLine(step)}`);
      const answer = await askUntil(baseUrl, step);
      print(`   ← ${[`${answer.status} ${STATUS_CODES[answer.status] ?? ''}`, ...shownHeaders(answer)].join('  ')}`);
      if (answer.body !== null) print(`     ${JSON.stringify(shortened(answer.body))}`);
      if (answer.status === step.expect) return answer;
      throw new TourEnded(`this step was to be answered with ${step.expect}, and was with ${answer.status}`);
    },
  };
};

const askUntil = async (baseUrl: string, step: Step): Promise<Answer> => {
  const { until = () => true } = step;
  const patience = performance.now() + PATIENCE;
  for (;;) {
    const answer = await ask(baseUrl, step);
    const isOver = performance.now() > patience;
    const isPutOff = answer.status === 503 && step.method === 'GET' && !isOver; // a slow machine: a read may come again
    if (!isPutOff && (answer.status !== step.expect || until(answer.body))) return answer;
    if (isOver) throw new TourEnded(`what this step waits for did not come in ${PATIENCE} ms`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
};

const ask = async (baseUrl: string, { method, path, token, headers = {}, body }: Step): Promise<Answer> => {
  const request: RequestInit = {
    method,
    headers: {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(PATIENCE),
  };
  try {
    const response = await fetch(new URL(path, baseUrl), request);
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: text === '' ? null : (JSON.parse(text) as Json),
    };
  } catch (error) {
    if (error instanceof SyntaxError)
      throw new TourEnded(`what answers at ${baseUrl} is not Taskwire: no JSON came back`);
    const cure = 'Start one with `npm start`, or name it: TASKWIRE_URL=http://localhost:8001 npm run tour';
    throw new TourEnded(`no server answers at ${baseUrl} (${reasonOf(error)}).\n${cure}`);
  }
};

const reasonOf = (error: unknown): string => {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (cause instanceof Error) return 'code' in cause && typeof cause.code === 'string' ? cause.code : cause.message;
  return String(cause);
};

const requestLine = ({ method, path, headers = {}, body }: Step): string => {
  const named = Object.entries(headers).map(([name, value]) => `${name}: ${shortText(value)}`);
  const sent = body === undefined ? [] : [JSON.stringify(shortened(body))];
  return [`${method} ${shortText(path, 96)}`, ...named, ...sent].join('  ');
};
const shownHeaders = ({ headers }: Answer): readonly string[] =>
  SHOWN.flatMap((name) => {
    const value = headers.get(name);
    return value === null ? [] : [`${name}: ${shortText(value)}`];
  });

/** What a reader needs to see of a value: no nulls, long texts, ids and lists cut, secrets hidden. */
const shortened = (value: Json, field = ''): Json => {
  if (typeof value === 'string') return field === 'password' ? '•••' : shortText(value);
  if (typeof value !== 'object' || value === null) return value;
  if (isList(value)) {
    const items = value.slice(0, MOST_ITEMS).map((item) => shortened(item));
    return value.length > MOST_ITEMS ? [...items, `… ${value.length - MOST_ITEMS} more`] : items;
  }
  const fields = Object.entries(value).filter(([name, inner]) => inner !== null && !UNSHOWN.has(name));
  return Object.fromEntries(fields.map(([name, inner]) => [name, shortened(inner, name)]));
};
const isList = (value: object): value is readonly Json[] => Array.isArray(value);
const shortText = (text: string, longest = LONGEST_TEXT): string => {
  const short = text.replace(UUID, '…$1');
  return short.length > longest ? `${short.slice(0, longest)}…` : short;
};
