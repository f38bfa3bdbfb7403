/** A service asked on our own behalf, for what we put together: JSON, within a bound of time and size, or nothing. */

import { HttpProblem } from '#platform/http/problems.ts';
import type { Question, Upstream } from './upstream.ts';

export type JsonAnswer = { readonly status: number; readonly body: unknown };
type Context = Pick<Question, 'headers' | 'deadline' | 'gone'>;

const MOST = 4 * 1024 * 1024;
const NEVER = new AbortController().signal;

/** For what nobody asked for just now. */
export const onOurOwn = (ms: number): Context => ({ headers: {}, deadline: performance.now() + ms, gone: NEVER });

/** Undefined where there is no answer in time, or none that is JSON. Throws Cancelled. */
export const askJson = async (upstream: Upstream, path: string, context: Context): Promise<JsonAnswer | undefined> => {
  const question = { ...context, method: 'GET', path, body: undefined, keyed: false };
  try {
    const { status, body } = await upstream.ask(question);
    const parts: Buffer[] = [];
    let size = 0;
    for await (const part of body) {
      size += part.length;
      if (size > MOST) throw new RangeError(`an answer of ${upstream.service} is larger than anything of ours`);
      parts.push(part);
    }
    return { status, body: JSON.parse(Buffer.concat(parts).toString()) };
  } catch (error) {
    if (error instanceof HttpProblem || error instanceof SyntaxError || error instanceof RangeError) return undefined;
    if (isBroken(error)) return undefined;
    throw error;
  }
};

/** It broke off in the middle of its answer. */
const isBroken = (error: unknown): boolean => error instanceof Error && 'code' in error;
