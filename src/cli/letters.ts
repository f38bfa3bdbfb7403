/** Dead letters of all services, as commands name them and speak of them. */
import { type DeadLetter, listDeadLetters, type Which } from '#platform/event-bus/dead-letters.ts';
import { registeredPosts } from '#platform/event-bus/overview.ts';
import { UsageError, word } from './output.ts';
import type { OpenedService } from './with-stores.ts';

/** A dead letter, and the service whose consumer it is. */
export type Letter = { readonly owner: OpenedService; readonly letter: DeadLetter };

/** The longest parked first. Throws for a consumer that is registered nowhere. */
export const findLetters = async (services: readonly OpenedService[], which: Which): Promise<readonly Letter[]> => {
  const found = await Promise.all(
    services.map(async (owner) =>
      (await listDeadLetters(owner.kit.database, which)).map((letter) => ({ owner, letter })),
    ),
  );
  const letters = found.flat().toSorted((a, b) => Date.parse(a.letter.parkedAt) - Date.parse(b.letter.parkedAt));
  if (letters.length === 0 && which.consumer !== undefined) await mustBeRegistered(services, which.consumer);
  return letters;
};

const mustBeRegistered = async (services: readonly OpenedService[], name: string): Promise<void> => {
  const posts = (await Promise.all(services.map(({ kit }) => registeredPosts(kit.database)))).flat();
  const known = [...new Set(posts.map(({ consumer }) => consumer))];
  if (!known.includes(name))
    throw new Error(`no consumer ${name} is registered here; there are ${known.join(', ') || 'none'}`);
};

/** Throws where nothing is parked of the key, or where it is not clear which key is meant. */
export const findLetter = async (services: readonly OpenedService[], which: Required<Which>): Promise<Letter> => {
  const letters = await findLetters(services, which);
  const [found, ...others] = letters;
  if (found === undefined) throw nothingParked(which);
  if (others.length > 0) {
    const topics = letters.map(({ letter }) => `--topic ${word(letter.topic)}`);
    throw new UsageError(`this key is parked of several topics; say which: ${topics.join(' or ')}`);
  }
  return found;
};
export const nothingParked = ({ consumer, key }: Which): Error =>
  new Error(`nothing is parked of key ${key} for ${consumer}; what is: taskwire dead-letters list`);

/** As it is typed after a command. */
export const nameOf = ({ consumer, key }: Pick<DeadLetter, 'consumer' | 'key'>): string =>
  `${word(consumer)} ${word(key)}`;

/** Who does what became due. */
export const whenOf = ({ isRead, consumer }: DeadLetter): string =>
  isRead ? ' by the process that reads for it' : `, once a process reads for ${consumer}; none does: taskwire start`;
