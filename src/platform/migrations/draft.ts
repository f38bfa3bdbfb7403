/** A new migration as files: numbered on from those that are there, with its head, and what a person asked for in it. */
import { readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Difference } from './difference.ts';

export type Draft = { readonly name: string; readonly sql: string };

/**
 * The files for a message: none where there is nothing to do. What must be alone comes in a file of its own after the
 * other. Throws where the message has no word to name them by.
 */
export const draftsOf = (
  { together, alone }: Pick<Difference, 'together' | 'alone'>,
  { number, message }: { readonly number: number; readonly message: string },
): readonly Draft[] => {
  const slug = message
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '_')
    .replaceAll(/^_+|_+$/g, '')
    .slice(0, 40);
  if (slug === '') throw new Error(`a migration needs a name in letters, and "${message}" has none`);
  const head = `-- ${message.replaceAll(/\s+/g, ' ').trim()}\n`;
  const parts = [
    ...(together.length > 0 ? [{ slug, sql: head + ended(together) }] : []),
    ...(alone.length > 0 ? [{ slug: `${slug}_alone`, sql: `${ALONE}${head}${ended(alone)}` }] : []),
  ];
  return parts.map((part, n) => ({ name: `${String(number + n).padStart(3, '0')}_${part.slug}.sql`, sql: part.sql }));
};
const ALONE = '-- no transaction: each statement by itself, and all of them again when one was broken off\n';
const ended = (statements: readonly string[]): string => statements.map((one) => `${one};\n`).join('');

/** An empty one, for whoever writes it by hand. */
export const emptyDraft = (at: { readonly number: number; readonly message: string }): Draft | undefined => {
  const [draft] = draftsOf({ together: ['select 1'], alone: [] }, at);
  return draft && { ...draft, sql: `${draft.sql.split('\n', 1)[0]}\n` };
};

/** One more than the last one in the folder. */
export const nextNumber = async (folder: string): Promise<number> =>
  Math.max(0, ...(await readdir(folder)).map((name) => Number(/^(\d{3})_/.exec(name)?.[1] ?? 0))) + 1;

/** Answers where they lie. Rejects rather than overwrite one. */
export const writeDrafts = async (folder: string, drafts: readonly Draft[]): Promise<readonly string[]> => {
  for (const { name, sql } of drafts) await writeFile(path.join(folder, name), sql, { flag: 'wx' });
  return drafts.map(({ name }) => path.join(folder, name));
};
