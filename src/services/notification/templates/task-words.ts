/** What the words about tasks have in common. */
import { type Prose, prose, quoted } from './prose.ts';

/** A task by its title, at the beginning of a sentence. One without, for it was erased, is a task. */
export const taskInEnglish = (title: string | null): Prose => (title === null ? prose`A task` : quoted(title));

export const ownersFooterInEnglish = prose`You get this because it is a task of yours.`;
