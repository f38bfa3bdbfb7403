/** What people are told, word by word; and that what is put into words stays words. */
import { describe, expect, test } from 'vitest';
import type { Rule } from '#contracts/notification.ts';
import type { TaskTitle } from '#contracts/task.ts';
import type { Username } from '#contracts/user.ts';
import { type Params, render } from './render.ts';
import type { Reader } from './template.ts';

const HOME = 'https://tasks.example.org';
const DUE = '2026-12-01T09:00:00.000Z';
const ADA: Reader = { locale: 'en-GB', timeZone: 'Europe/Berlin' };
const NOBODY: Reader = { locale: null, timeZone: null };

const ofTask = (title: string | null, dueAt: string | null = DUE): Params => ({ title: title as TaskTitle, dueAt });
const ofUser = (username: string | null): Params => ({ username: username as Username });
const LETTERS: readonly (readonly [rule: Rule, params: Params])[] = [
  ['welcome', ofUser('ada')],
  ['task_reminder', ofTask('Water the plants')],
  ['task_overdue', ofTask('Water the plants')],
  ['task_completed', ofTask('Water the plants', null)],
];
const TASK_RULES = ['task_reminder', 'task_overdue', 'task_completed'] as const;

test.each(LETTERS)('%s', (rule, params) => {
  expect(render(rule, params, ADA, HOME)).toMatchSnapshot();
});

test.each(LETTERS)('%s to somebody who was erased', (rule) => {
  const letter = render(rule, { erased: true }, NOBODY, HOME);
  expect(letter).toMatchSnapshot();
  expect(JSON.stringify(letter)).not.toMatch(/null|undefined|erased|\[object/);
});

describe('what is put in', () => {
  const MARKUP = `<script>alert("it's" & 'so')</script>`;
  const ESCAPED = '&lt;script&gt;alert(&quot;it&#39;s&quot; &amp; &#39;so&#39;)&lt;/script&gt;';
  const filledWith = (words: string): readonly (readonly [Rule, Params])[] => [
    ['welcome', ofUser(words)],
    ...TASK_RULES.map((rule) => [rule, ofTask(words)] as const),
  ];
  test.each(filledWith(MARKUP))('is text in %s, whatever it looks like', (rule, params) => {
    const { subject, text, html } = render(rule, params, ADA, HOME);
    expect(html).not.toMatch(/<script|alert\("/);
    expect(html).toContain(ESCAPED);
    expect(html).toContain(`<title>${subject.replace(MARKUP, ESCAPED)}</title>`);
    expect(text).toContain(MARKUP);
  });

  const BREAKS = ['\r\n', '\n', '\r', '\u2028', '\u2029', '\u0085', '\0', '\u000b'];
  test.each(BREAKS.map((sign) => [JSON.stringify(sign), sign]))('begins no line of its own with %s', (_name, sign) => {
    const hostile = `Hello${sign}Bcc: eve@example.org${sign}${sign}Click here`;
    for (const [rule, params] of filledWith(hostile)) {
      const { subject, text } = render(rule, params, ADA, HOME);
      for (const words of [subject, text]) expect(words).toContain('Hello Bcc: eve@example.org Click here');
      for (const words of [subject, text.replaceAll('\n', '')]) expect(words).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u);
    }
  });

  test('turns no direction of what follows', () => {
    const { subject, text } = render('task_overdue', ofTask('pay \u202egro.live\u2066 now'), ADA, HOME);
    expect(`${subject}${text}`).not.toMatch(/[\u202a-\u202e\u2066-\u2069]/u);
  });

  test('may be any writing there is', () => {
    const title = 'Müll 👩‍👩‍👧 שלום 日本';
    expect(render('task_overdue', ofTask(title), ADA, HOME).subject).toContain(title);
  });
});

describe('a date', () => {
  const dateOf = (reader: Reader) => render('task_reminder', ofTask('It'), reader, HOME).text.split('\n')[0];
  test.each<[string, Reader, string]>([
    ['in the reader’s zone and manner', ADA, '“It” is due on Tuesday, 1 December 2026 at 10:00 CET.'],
    [
      'after the American manner',
      { locale: 'en-US', timeZone: 'America/New_York' },
      '“It” is due on Tuesday, December 1, 2026 at 4:00 AM EST.',
    ],
    ['in UTC for whoever never said', NOBODY, '“It” is due on Tuesday, December 1, 2026 at 9:00 AM UTC.'],
    [
      'in the language of the words around it',
      { locale: 'de-DE', timeZone: 'Europe/Berlin' },
      '“It” is due on Tuesday, December 1, 2026 at 10:00 AM GMT+1.',
    ],
    [
      'in UTC for a zone that this runtime does not know',
      { locale: null, timeZone: 'Mars/Olympus' },
      '“It” is due on Tuesday, December 1, 2026 at 9:00 AM UTC.',
    ],
  ])('is told %s', (_how, reader, words) => expect(dateOf(reader)).toBe(words));
});

test('a rule takes no parameters of another', () => {
  expect(() => render('welcome', ofTask('It'), ADA, HOME)).toThrow('a welcome needs a username');
  expect(() => render('task_overdue', ofUser('ada'), ADA, HOME)).toThrow('words about a task need its title');
});
