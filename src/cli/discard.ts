/** taskwire dead-letters discard: gives up what nobody can handle, so that what waits behind it goes on. */
import { type DeadLetter, discard, eventsOfDeadLetter } from '#platform/event-bus/dead-letters.ts';
import { findLetter, nameOf, whenOf } from './letters.ts';
import { counted, plain, say, sayJson, UsageError, word } from './output.ts';
import { type OpenedService, withServices } from './with-stores.ts';

type Options = {
  readonly topic?: string;
  readonly json?: boolean;
  readonly allEvents?: boolean;
  /** The first event, as it is thought to be. */
  readonly event?: string;
  readonly yes?: boolean;
};

export const deadLettersDiscard = (consumer: string, key: string, options: Options): Promise<void> =>
  withServices(async ({ services }) => {
    const { allEvents: all = false, event } = options;
    const { owner, letter } = await findLetter(services, { consumer, key, topic: options.topic });
    const { database, commands } = owner.kit;
    if (!options.yes) throw new UsageError(await confirmation(owner, letter, options));
    const discarded = await discard({ database, executor: commands.executor }, letter, { all, first: event });
    if (options.json) sayJson(discarded);
    if (discarded.kind === 'gone')
      throw new Error(`nothing is parked of key ${key} for ${consumer} any more: all of it was dealt with just now`);
    if (discarded.kind === 'moved') throw moved(letter, discarded.first);
    if (options.json) return;
    const { first, events, left } = discarded;
    const others = events > 1 ? ` and ${counted(events - 1, 'event')} behind it` : '';
    say(
      `discarded for ${consumer}: ${plain(first.stream)}@${first.version} (${plain(first.type)}, id ${first.id})${others}`,
    );
    if (left === 0) return say('nothing is parked of the key any more; what comes for it is handled as usual');
    say(`${counted(left, 'event')} of the key ${left === 1 ? 'is' : 'are'} handled next${whenOf(letter)}`);
  });

/** What would be done, and how to say that it is meant: of that very event, so that it is not done twice. */
const confirmation = async (
  owner: OpenedService,
  letter: DeadLetter,
  { allEvents = false, event: named, topic }: Options,
): Promise<string> => {
  const { value: first } = await eventsOfDeadLetter(owner.kit.database, letter).next();
  if (!first) throw new Error(`nothing is parked of key ${letter.key} any more`);
  const { consumer } = letter;
  const { id, stream, version, type } = first.envelope;
  if (named !== undefined && named !== id) throw moved(letter, id);
  const meant = [
    '--event',
    word(id),
    ...(topic ? ['--topic', word(topic)] : []),
    ...(allEvents ? ['--all-events'] : []),
  ];
  const whole = allEvents || letter.events === 1;
  const amount = whole
    ? `all that is parked, ${counted(letter.events, 'event')},`
    : `the first of ${letter.events} events`;
  const others = whole ? '' : ', and what waits behind it goes on';
  return [
    `this gives up ${amount} of key ${plain(letter.key)} of ${plain(letter.topic)}:`,
    `  ${plain(stream)}@${version}  ${plain(type)}  (${letter.cause}: ${plain(letter.error)})`,
    `${consumer} will never handle ${whole ? 'them' : 'it'}${others}. Nothing was done yet. If that is meant:`,
    `  taskwire dead-letters discard ${nameOf(letter)} ${meant.join(' ')} --yes`,
  ].join('\n');
};

const moved = (letter: DeadLetter, first: string): Error =>
  new Error(
    `the first parked event of this key is ${plain(first)} by now; nothing was discarded. ` +
      `Look again: taskwire dead-letters show ${nameOf(letter)}`,
  );
