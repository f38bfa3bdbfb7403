/** HTML written here, around text that may be anything: what is put in is escaped, unless `html` made it too. */
export type Html = { readonly markup: string };
type Filling = string | number | Html | readonly Html[];

/** A template’s tag. A list of `Html` is put in one behind the other. */
export const html = (words: TemplateStringsArray, ...fillings: readonly Filling[]): Html => ({
  markup: String.raw({ raw: words }, ...fillings.map(markupOf)),
});

const markupOf = (filling: Filling): string => {
  if (typeof filling === 'string' || typeof filling === 'number') return escapeHtml(String(filling));
  return 'markup' in filling ? filling.markup : filling.map(markupOf).join('');
};

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (sign) => ESCAPES[sign] ?? sign);
