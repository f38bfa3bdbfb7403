import { setTimeout as sleep } from 'node:timers/promises';
import { until } from './bed.ts';

/** As /health/events of ours tells it. */
type Waiting = { readonly lag?: Count; readonly backlog?: Count; readonly detail?: string };
type Count = { readonly events: number };
type Health = { readonly parts: Readonly<Record<string, Waiting & { readonly consumers?: readonly Waiting[] }>> };

const AGAIN = 100;

/** Resolves once everything that was committed has been heard of: no consumer and no relay has anything before it. */
export const eventsSettled = (origin: string): Promise<void> =>
  until('all events to be heard of', async () => {
    const answer = await fetch(`${origin}/health/events`);
    const { parts } = (await answer.json()) as Health;
    const waiting = Object.values(parts).flatMap(({ consumers = [], ...part }) => [part, ...consumers]);
    const left = waiting.reduce((sum, { lag, backlog }) => sum + (lag?.events ?? 0) + (backlog?.events ?? 0), 0);
    // A part that does not answer in time says so, and nothing of it is known.
    const isTold = Object.values(parts).every(({ detail }) => detail === undefined);
    if (left > 0 || !isTold) await sleep(AGAIN);
    return left === 0 && isTold;
  });
