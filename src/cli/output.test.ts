import { describe, expect, test } from 'vitest';
import { lasting, plain, shown, table, word } from './output.ts';

test('columns are as wide as what is in them', () => {
  expect(
    table(
      ['A', 'LONG'],
      [
        ['wider', 'x'],
        ['', 'yy'],
      ],
    ),
  ).toEqual(['A      LONG', 'wider  x', '       yy']);
});

describe('what came from outside', () => {
  test('neither moves the cursor nor paints the screen, nor turns the text around', () => {
    expect(plain('a\u001b[31mb\nc\u202ed')).toBe('a\\u{1b}[31mb\\u{a}c\\u{202e}d');
    expect(table(['A'], [['\u001b[2J']])).toEqual(['A', '\\u{1b}[2J']);
    expect(shown({ text: '\u009b2J' })).toBe('{"text":"\\u{9b}2J"}');
  });
  test('is one word to a shell', () => {
    expect(word('01a20b7c-3bdf@2')).toBe('01a20b7c-3bdf@2');
    expect(word("it's; rm -rf ~")).toBe("'it'\\''s; rm -rf ~'");
  });
});

test('what is sealed is only said to be, at any depth', () => {
  expect(shown({ a: { $sealed: 'x' }, list: [{ $sealed: 'y' }], n: null })).toBe(
    '{"a":"‹sealed›","list":["‹sealed›"],"n":null}',
  );
  expect(shown(null)).toBe('null');
});

test.each([
  [0, '0 ms'],
  [999, '999 ms'],
  [1_000, '1 s'],
  [9_990, '9.9 s'],
  [59_999, '59 s'],
  [90_000, '1.5 min'],
  [7_200_000, '2 h'],
  [864_000_000, '10 d'],
])('%i ms is %s', (ms, words) => expect(lasting(ms)).toBe(words));
