/** taskwire dead-letters list and show: what could not be handled, and why. */
import { type DeadLetter, eventsOfDeadLetter } from '#platform/event-bus/dead-letters.ts';
import type { Delivery } from '#platform/event-bus/delivery.ts';
import { readDeliveries } from '#platform/event-bus/read.ts';
import { isDeeperThan } from '#platform/schema/depth.ts';
import { findLetter, findLetters, nameOf } from './letters.ts';
import { clipped, counted, endWithReader, instant, lasting, plain, say, sayJson, shown, table } from './output.ts';
import { type OpenedService, withServices } from './with-stores.ts';

const LISTED = 50;

export const deadLettersList = ({
  consumer,
  json,
}: {
  readonly consumer?: string;
  readonly json?: boolean;
}): Promise<void> => {
  endWithReader();
  return withServices(async ({ services }) => {
    const letters = (await findLetters(services, { consumer })).map(({ letter }) => letter);
    if (json) return sayJson(letters);
    const [first] = letters;
    if (first === undefined) return say('nothing is parked');
    const head = ['CONSUMER', 'TOPIC', 'KEY', 'WAITING', 'SINCE', 'TRIES', 'NEXT TRY', 'CAUSE', 'ERROR'];
    say(...table(head, letters.slice(0, LISTED).map(cellsOf)), '');
    const waiting = letters.reduce((sum, { events }) => sum + events, 0);
    const rest = letters.length > LISTED ? `, the ${LISTED} longest parked of them above; all of them: --json` : '';
    say(`${counted(letters.length, 'key')}, ${counted(waiting, 'event')}${rest}`);
    say(`What is in one: taskwire dead-letters show ${nameOf(first)}`);
  });
};

const cellsOf = (letter: DeadLetter): readonly string[] => [
  letter.consumer,
  letter.topic,
  letter.key,
  counted(letter.events, 'event'),
  instant(letter.parkedAt),
  String(letter.attempts),
  nextTry(letter),
  letter.cause,
  clipped(letter.error, 80),
];
const nextTry = ({ nextAttemptIn, isRead, cause }: DeadLetter): string => {
  if (nextAttemptIn === null) return cause === 'unknown' ? 'by a newer release' : 'by hand';
  if (nextAttemptIn > 0) return `in ${lasting(nextAttemptIn)}`;
  return isRead ? 'now' : 'when a process runs';
};
export const deadLettersShow = (
  consumer: string,
  key: string,
  { topic, open, json }: { readonly topic?: string; readonly open?: boolean; readonly json?: boolean },
): Promise<void> => {
  endWithReader();
  return withServices(async ({ services }) => {
    const { owner, letter } = await findLetter(services, { consumer, key, topic });
    const opening = open ? services.find(({ service }) => service === letter.source) : undefined;
    const events: Shown[] = [];
    if (!json) say(...aboutLetter(letter), '');
    for await (const delivery of eventsOfDeadLetter(owner.kit.database, letter)) {
      const event = { ...shownOf(delivery), ...(opening && { opened: await openedOf(opening, delivery) }) };
      if (json) events.push(event);
      else say(lineOf(event));
    }
    if (json) return sayJson({ ...letter, parked: events });
    say('', `Handle it again: taskwire dead-letters redrive ${nameOf(letter)} --wait`);
    say(`Do without its first event: taskwire dead-letters discard ${nameOf(letter)}`);
  });
};

const aboutLetter = (letter: DeadLetter): readonly string[] => [
  `${plain(letter.consumer)} cannot go on with key ${plain(letter.key)} of ${plain(letter.topic)}`,
  `  why    ${letter.cause}: ${plain(letter.error)}`,
  `  since  ${instant(letter.parkedAt)}, tried ${counted(letter.attempts, 'time')}, next ${nextTry(letter)}`,
  `  waits  ${counted(letter.events, 'event')}`,
];

type Shown = Omit<Delivery['envelope'], 'data' | 'metadata'> & {
  /** What its JSON stands for; a text where it stands for nothing, or is too much to look at. */
  readonly data: unknown;
  readonly metadata: unknown;
  readonly opened?: { readonly data: unknown } | { readonly fault: string } | undefined;
};
const shownOf = ({ envelope: { data, metadata, ...envelope } }: Delivery): Shown => ({
  ...envelope,
  data: parsedOr(data),
  metadata: parsedOr(metadata),
});
const LARGE = 100_000;
const DEEP = 64;
const parsedOr = (text: string): unknown => {
  if (text.length > LARGE || isDeeperThan(text, DEEP)) return text;
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return text;
    throw error;
  }
};

/** Opened by whoever wrote it, and read as a consumer of every type would. */
const openedOf = async ({ kit: { commands } }: OpenedService, delivery: Delivery): Promise<Shown['opened']> => {
  const { catalog, keys } = commands;
  const [reading] = await readDeliveries(catalog, keys, new Set(catalog.keys()), [delivery]);
  if (reading?.kind === 'event') return { data: reading.event.event.data };
  return { fault: reading?.kind === 'fault' ? reading.fault.error : 'it cannot be opened' };
};

const LINE = 2_000;
const lineOf = ({ opened, ...event }: Shown): string => {
  const place = `${instant(event.recordedAt)}  ${plain(event.stream)}@${event.version}  ${plain(event.type)} v${event.schemaVersion}`;
  const data = opened && 'data' in opened ? opened.data : event.data;
  const text = typeof data === 'string' ? plain(data) : shown(data);
  const rest = text.length > LINE ? ` (${counted(text.length, 'character')}; all of it: --json)` : '';
  const fault = opened && 'fault' in opened ? `  (${opened.fault})` : '';
  return `${place}  ${clipped(text, LINE)}${rest}${fault}  id ${plain(event.id)}`;
};
