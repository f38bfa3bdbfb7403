/** A service asked on our own behalf, for what we put together: JSON, within a bound of time and size, or nothing. */

import { HttpProblem } from '#platform/http/problems.ts';
import { wholeOf } from './transport.ts';
import { Cancelled, type Question, type Upstream } from './upstream.ts';

export type JsonAnswer = { readonly status: number; readonly body: unknown };
type Context = Pick<Question, 'headers' | 'deadline' | 'gone'>;

const NEVER = new AbortController().signal;

/** For what nobody asked for just now. */
export const onOurOwn = (ms: number): Context => ({ headers: {}, deadline: performance.now() + ms, gone: NEVER });

/** Undefined where there is no answer in time, none that is JSON, or nobody any more who would have it. */
export const askJson = async (upstream: Upstream, path: string, context: Context): Promise<JsonAnswer | undefined> => {
  const question = { ...context, method: 'GET', path, body: undefined, keyed: false };
  try {
    const answer = await upstream.ask(question);
    const text = await wholeOf(answer);
    return text === undefined ? undefined : { status: answer.status, body: JSON.parse(text) };
  } catch (error) {
    if (error instanceof HttpProblem || error instanceof SyntaxError || error instanceof Cancelled) return undefined;
    if (isBroken(error)) return undefined;
    throw error;
  }
};

/** It broke off in the middle of its answer. */
const isBroken = (error: unknown): boolean => error instanceof Error && 'code' in error;
