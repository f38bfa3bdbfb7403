/** A service as the gateway asks it: at the copy that can answer, again where that is safe, and no longer than is waited. */
import { setTimeout as pause } from 'node:timers/promises';
import { DEADLINE_HEADER } from '#platform/http/deadline.ts';
import { RETRY_AFTER } from '#platform/http/errors.ts';
import { refusal } from '#platform/http/problems.ts';
import { earned, NEW_BUDGET, type RetryBudget, spent } from '#platform/resilience/retry-budget.ts';
import type { Logger } from '#platform/telemetry/logger.ts';
import { metrics } from '#platform/telemetry/metrics.ts';
import { beginSpan } from '#platform/telemetry/tracing.ts';
import { type Copies, type CopiesOptions, openCopies } from './copies.ts';
import type { Copy } from './copy.ts';
import { gatewayProblems } from './problems.ts';
import { isRefusal, leavesOpen, nextOf, type Unanswered } from './retry.ts';
import { type Attempt, codeOf, discard, type UpstreamAnswer, type UpstreamRequest } from './transport.ts';

export type Question = UpstreamRequest & {
  readonly keyed: boolean;
  /** By performance.now(): then whoever asked is told that it took too long. */
  readonly deadline: number;
  /** Aborted when whoever asked has gone; ends the answer's stream too. */
  readonly gone: AbortSignal;
};
export type Upstream = {
  readonly service: string;
  /** Throws an HttpProblem where there is no answer, and Cancelled where nobody waits for one. */
  ask(question: Question): Promise<UpstreamAnswer>;
  readonly states: Copies['states'];
  /** Each of its copies, for what is asked of every one. */
  readonly copies: Copies['all'];
  close(ms: number): Promise<void>;
};

/** Whoever asked has gone. */
export class Cancelled extends Error {
  override readonly name = 'Cancelled';
}

const MOST_ATTEMPTS = 3;
const PAUSE = 50;

export const openUpstream = async (options: CopiesOptions): Promise<Upstream> => {
  const { service, logger } = options;
  const copies = await openCopies(options);
  let budget: RetryBudget = NEW_BUDGET;
  const mayRepeat = (): boolean => {
    const left = spent(budget);
    budget = left ?? budget;
    return left !== undefined;
  };
  return {
    service,
    ask: async (question) => {
      budget = earned(budget);
      const tried = new Set<Copy>();
      const asked = { ...question, waits: 'consistency-token' in question.headers };
      const began = performance.now();
      /** An earlier attempt may have done it: no later refusal says that nothing was done. */
      let isOpen = false;
      for (let n = 1; ; n += 1) {
        const left = question.deadline - performance.now();
        const copy = copies.choose(tried);
        if (copy === undefined || left <= 0) throw problemOf(isOpen ? 'lost' : left <= 0 ? 'late' : 'refused');
        const attempt = await tracedAttempt(service, n, question, (traceparent) =>
          copy.attempt(timed(question, left, traceparent), left, question.gone),
        );
        tried.add(copy);
        metrics.attempts.inc({ service, ending: attempt.kind });
        if (attempt.kind !== 'answered') tell(logger, service, question, copy, attempt);
        const next = n < MOST_ATTEMPTS ? nextOf({ ...asked, ms: performance.now() - began }, attempt) : 'done';
        if (next === 'elsewhere') continue;
        if (next === 'done' || !mayRepeat()) {
          if (attempt.kind !== 'answered')
            throw problemOf(isOpen && attempt.kind === 'refused' ? 'lost' : attempt.kind);
          if (!isOpen || !isRefusal(attempt)) return attempt.answer;
          await discard(attempt.answer, PAUSE);
          throw problemOf('lost');
        }
        isOpen ||= leavesOpen(asked, attempt, attempt.kind === 'answered' ? codeOf(attempt.answer) : undefined);
        metrics.retries.inc({ service });
        if (attempt.kind === 'answered') await discard(attempt.answer, PAUSE); // it was a refusal
        if (copies.choose(tried) !== undefined) continue;
        tried.clear(); // the only one there is may do better in a moment
        await pause(PAUSE * (0.5 + Math.random()));
      }
    },
    states: copies.states,
    copies: copies.all,
    close: copies.close,
  };
};

const timed = (question: Question, left: number, traceparent: string | undefined): UpstreamRequest => ({
  ...question,
  headers: {
    ...question.headers,
    [DEADLINE_HEADER]: String(Math.ceil(left)),
    ...(traceparent !== undefined && { traceparent }),
  },
});

/** Each attempt is a span of the trace that asks; what we ask on our own behalf is in none. */
const tracedAttempt = async (
  service: string,
  n: number,
  { method, headers }: Question,
  run: (traceparent: string | undefined) => Promise<Attempt>,
): Promise<Attempt> => {
  const { traceparent: parent } = headers;
  if (typeof parent !== 'string') return run(undefined);
  const resent = n > 1 ? { 'http.request.resend_count': n - 1 } : {};
  const span = beginSpan(method, {
    kind: 'client',
    parent,
    attributes: { 'http.request.method': method, 'server.address': service, ...resent },
  });
  const attempt = await run(span.traceparent);
  if (attempt.kind === 'answered') span.set({ 'http.response.status_code': attempt.status });
  span.end(attempt.kind === 'answered' ? undefined : attempt.kind);
  return attempt;
};

const problemOf = (kind: Unanswered): Error => {
  switch (kind) {
    case 'refused':
      return refusal(gatewayProblems, 'service-away', { headers: RETRY_AFTER });
    case 'lost':
      return refusal(gatewayProblems, 'service-failed');
    case 'late':
      return refusal(gatewayProblems, 'service-late');
    case 'cancelled':
      return new Cancelled('whoever asked has gone');
  }
};

type NoAnswer = Exclude<Attempt, { readonly kind: 'answered' }>;
const tell = (logger: Logger, service: string, { headers }: Question, copy: Copy, { kind, error }: NoAnswer): void => {
  if (kind === 'cancelled') return;
  const { 'x-request-id': requestId } = headers; // none where we ask on our own behalf
  const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
  const asked = { service, ...(typeof requestId === 'string' && { requestId }), url: copy.address.origin };
  logger.warn('an attempt had no answer', { ...asked, reason: kind, code });
};
