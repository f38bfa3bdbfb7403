/** taskwire dead-letters redrive: has parked keys handled again, and tells what became of them. */
import { setTimeout as pause } from 'node:timers/promises';
import { type DeadLetter, redrive } from '#platform/event-bus/dead-letters.ts';
import { findLetters, type Letter, nameOf, nothingParked, whenOf } from './letters.ts';
import { counted, plain, say, sayJson, UsageError } from './output.ts';
import { withServices } from './with-stores.ts';

type Options = { readonly all?: boolean; readonly topic?: string; readonly wait?: boolean; readonly json?: boolean };
/** due: its next attempt is now. waiting: it was not made in time, or nobody is there to make it. */
type Became =
  | { readonly outcome: 'due' | 'settled' | 'waiting' }
  | { readonly outcome: 'failed'; readonly cause: DeadLetter['cause']; readonly error: string };
type Told = Became & { readonly letter: DeadLetter };

/** ms without anything happening; each key that is settled begins it anew. */
const PATIENCE = 30_000;
const LOOK = 100;

export const deadLettersRedrive = (
  consumer: string | undefined,
  key: string | undefined,
  { all, topic, wait, json }: Options,
): Promise<void> => {
  if (consumer === undefined && !all)
    throw new UsageError('say what: a consumer, or one key of it, or --all; what there is: taskwire dead-letters list');
  if (consumer !== undefined && all) throw new UsageError(`--all is for all consumers: leave out ${consumer}`);
  return withServices(async ({ services }) => {
    const which = { consumer, key, topic };
    const found = await findLetters(services, which);
    if (found.length === 0 && key !== undefined) throw nothingParked(which);
    const due: Letter[] = [];
    for (const one of found) if (await redrive(one.owner.kit.database, one.letter)) due.push(one);
    const told = wait
      ? await waitFor(due, () => findLetters(services, { consumer, topic }))
      : due.map(({ letter }): Told => ({ letter, outcome: 'due' }));
    if (json)
      sayJson(
        told.map(({ letter: { consumer, source, topic, key }, ...became }) => ({
          consumer,
          source,
          topic,
          key,
          ...became,
        })),
      );
    else say(...told.map(lineOf), ...closing(told));
    const unsettled = told.filter(({ outcome }) => outcome === 'failed' || outcome === 'waiting');
    const [first] = unsettled;
    if (first)
      throw new Error(
        `${unsettled.length} of ${counted(told.length, 'key')} not settled; why: taskwire dead-letters show ${nameOf(first.letter)}`,
      );
  });
};

const lineOf = ({ letter, ...became }: Told): string => {
  const words = {
    due: `due now${whenOf(letter)}`,
    settled: `settled: ${counted(letter.events, 'event')} handled`,
    waiting: `still waiting${letter.isRead ? '' : whenOf(letter)}`,
    failed: 'failed again',
  }[became.outcome];
  const why = became.outcome === 'failed' ? `: ${became.cause}: ${plain(became.error)}` : '';
  return `${plain(letter.consumer)}  ${plain(letter.key)}  ${words}${why}`;
};
const closing = (told: readonly Told[]): readonly string[] => {
  if (told.length === 0) return ['nothing is parked'];
  return told.some(({ outcome }) => outcome === 'due') ? ['What became of it: taskwire dead-letters list'] : [];
};

/** Until each is gone, or was tried and failed. Whoever nobody reads for is not waited for. */
const waitFor = async (due: readonly Letter[], look: () => Promise<readonly Letter[]>): Promise<readonly Told[]> => {
  const told: Told[] = due.filter(({ letter }) => !letter.isRead).map(({ letter }) => ({ letter, outcome: 'waiting' }));
  let pending = due.filter(({ letter }) => letter.isRead);
  let since = performance.now();
  while (pending.length > 0 && performance.now() - since < PATIENCE) {
    await pause(LOOK);
    const now = (await look()).map(({ letter }) => letter);
    const still: Letter[] = [];
    for (const one of pending) {
      const { letter } = one;
      const parked = now.find((other) => isSame(letter, other));
      if (parked === undefined) told.push({ letter, outcome: 'settled' });
      else if (parked.attempts > 0) told.push({ letter, outcome: 'failed', cause: parked.cause, error: parked.error });
      else still.push(one);
    }
    if (still.length < pending.length) since = performance.now();
    pending = still;
  }
  return [...told, ...pending.map(({ letter }): Told => ({ letter, outcome: 'waiting' }))];
};
const isSame = (one: DeadLetter, other: DeadLetter): boolean =>
  one.consumer === other.consumer && one.topic === other.topic && one.key === other.key;
