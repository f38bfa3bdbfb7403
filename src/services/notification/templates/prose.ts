/** Words that become text and HTML at once, so that nothing is written twice and the two never differ. */
import { type Html, html } from '#platform/http/html.ts';

export type Prose = { readonly text: string; readonly html: Html };

/** What is put in stays text on its line, whatever it looks like: it is escaped where it becomes HTML. */
export const prose = (words: TemplateStringsArray, ...fillings: readonly (string | Prose)[]): Prose => {
  const pieces = fillings.map((one): Prose => (typeof one === 'string' ? plain(oneLine(one)) : one));
  return {
    text: String.raw({ raw: words }, ...pieces.map(({ text }) => text)),
    html: html(words, ...pieces.map(({ html }) => html)),
  };
};
const plain = (text: string): Prose => ({ text, html: html`${text}` });

/** Words of somebody's own, told apart from ours. */
export const quoted = (words: string): Prose => {
  const line = oneLine(words);
  return { text: `“${line}”`, html: html`<strong>${line}</strong>` };
};

/** An address of our own; never one that somebody typed. */
export const link = (url: string): Prose => ({ text: url, html: html`<a href="${url}">${url}</a>` });

/**
 * One line of visible text: breaks and other controls, which could begin a header or a paragraph, become spaces, and
 * characters that turn the direction of what follows are left out.
 */
export const oneLine = (words: string): string =>
  words
    .replace(/[\u202a-\u202e\u2066-\u2069]/gu, '')
    .replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .trim();
