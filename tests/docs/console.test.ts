import { expect, test } from 'vitest';
import { examplesIn, fits, linksIn, pathsIn } from './console.ts';

test('commands and what is shown under them are told apart', () => {
  const markdown = '```console\n$ one\na\nb\n\n$ two | wc\n```\ntext\n```sh\n$ not this\n```\n';
  expect(examplesIn(markdown)).toEqual([
    { command: 'one', output: 'a\nb' },
    { command: 'two | wc', output: '' },
  ]);
});

test('ids, instants and offsets may differ, … stands for anything, the rest must be the same', () => {
  const shown = '{"id":"01a20b7c-3bdf-75c8-a459-77b67c146d45",…,"at":"2026-11-24T02:57:01.371Z","title":"Drink tea"}';
  const real =
    '{"id":"01a20b7b-67ca-7310-8118-45e06e094929","x":1,"at":"2027-01-01T00:00:00.000Z","title":"Drink tea"}\n';
  expect(fits(shown, real)).toBe(true);
  expect(fits(shown, real.replace('tea', 'milk'))).toBe(false);
  expect(fits(shown, `${real}more`)).toBe(false);
  expect(fits(shown, '')).toBe(false);
  expect(fits(' +0 ms  a\n+70 ms  b', '  +0 ms  a\n+1.2 s  b')).toBe(true);
  expect(fits('+0 ms  a', '+0 ms  b')).toBe(false);
});

test('links and paths are found outside of code', () => {
  const markdown =
    'See [a](docs/a.md#part), [b](https://b.org), `src/main.ts`, `src/services/<name>/`.\n```\n[c](c.md)\n```\n';
  expect(linksIn(markdown)).toEqual(['docs/a.md']);
  expect(pathsIn(markdown)).toEqual(['src/main.ts']);
});
