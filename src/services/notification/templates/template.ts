/** What a template is: words in some languages, typed by what they are filled with. */
import { html } from '#platform/http/html.ts';
import { oneLine, type Prose } from './prose.ts';

/** A mail as people read it. The subject is one line. */
export type Letter = { readonly subject: string; readonly text: string; readonly html: string };

/** Who reads it; null where they never said. */
export type Reader = { readonly locale: string | null; readonly timeZone: string | null };

/** What words are written with beside their parameters. */
type Pen = {
  /** An instant as the reader's calendar and clock show it, with its zone. */
  readonly date: (instant: string) => string;
  /** Where this installation is. */
  readonly home: string;
};
type Words = {
  readonly subject: string;
  readonly paragraphs: readonly Prose[];
  /** Why they get this. */
  readonly footer: Prose;
};

/** A template in each language that it has; whoever reads another gets English. */
export type Template<Params> = { readonly en: Write<Params> } & Readonly<Record<string, Write<Params>>>;
type Write<Params> = (params: Params, pen: Pen) => Words;

export const letterOf = <Params>(template: Template<Params>, params: Params, reader: Reader, home: string): Letter => {
  const { locale } = reader;
  const spoken = locale === null ? undefined : new Intl.Locale(locale).language;
  const language = spoken !== undefined && Object.hasOwn(template, spoken) ? spoken : 'en';
  const write = template[language] ?? template.en;
  // Dates are written as in the reader's country, but not in another language than the words around them.
  const date = dateWriter(language === spoken && locale !== null ? locale : language, reader.timeZone ?? 'UTC');
  const { subject, paragraphs, footer } = write(params, { date, home });
  const line = oneLine(subject);
  return {
    subject: line,
    text: `${[...paragraphs, footer].map(({ text }) => text).join('\n\n')}\n`,
    html: html`<!doctype html>
<html lang="${language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${line}</title></head>
<body style="font: 16px/1.5 system-ui, sans-serif; max-width: 36em; margin: 2em auto; padding: 0 1em; color: #1a1a1a">
${paragraphs.map((one) => html`<p>${one.html}</p>\n`)}<p style="font-size: .85em; color: #666">${footer.html}</p>
</body></html>
`.markup,
  };
};

const dateWriter = (locale: string, timeZone: string) => {
  const format = formatIn(locale, timeZone);
  return (instant: string): string => format.format(new Date(instant));
};

const formatIn = (locale: string, timeZone: string): Intl.DateTimeFormat => {
  const day = { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' } as const;
  const time = { hour: 'numeric', minute: '2-digit', timeZoneName: 'short' } as const;
  try {
    return new Intl.DateTimeFormat(locale, { ...day, ...time, timeZone });
  } catch (error) {
    if (!(error instanceof RangeError) || timeZone === 'UTC') throw error;
    // A zone that was made after this runtime's data: the date is right all the same, and says in which zone it is.
    return new Intl.DateTimeFormat(locale, { ...day, ...time, timeZone: 'UTC' });
  }
};
