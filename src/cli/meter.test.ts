import { expect, test } from 'vitest';
import { createMeter } from './meter.ts';

/** What is written while a hundred amounts are shown, one each 100 ms. */
const run = (isTTY: boolean): string => {
  let [text, now] = ['', 5_000];
  const meter = createMeter('task_list', { isTTY, write: (more) => (text += more) }, () => now);
  for (let n = 0; n <= 30; n += 1) {
    meter.show({ step: 'fill', done: n * 4_000, total: 200_000 });
    now += 100;
  }
  meter.show({ step: 'switch', done: 200_000, total: 200_000 });
  meter.end();
  return text;
};

test('in a log it is a line a second, and one for each new step', () => {
  expect(run(false).split('\n')).toEqual([
    'task_list: fill, 200,000 events',
    'task_list: fill, 40,000 of 200,000 events (20 %), 40,000/s, 4 s left',
    'task_list: fill, 80,000 of 200,000 events (40 %), 40,000/s, 3 s left',
    'task_list: fill, 120,000 of 200,000 events (60 %), 40,000/s, 2 s left',
    'task_list: switch, 200,000 of 200,000 events (100 %), 64,516/s',
    '',
  ]);
});

test('in a terminal it is one line that is written anew, and gone at the end', () => {
  const lines = run(true).split('\r\u001b[K');
  expect(lines).toHaveLength(34);
  expect(lines.at(-1)).toBe('');
  expect(run(true)).not.toContain('\n');
});

test('of nothing there is no share and no rate', () => {
  let text = '';
  createMeter('task_list', { write: (more) => (text += more) }, () => 0).show({ step: 'fill', done: 0, total: 0 });
  expect(text).toBe('task_list: fill, 0 events\n');
});

test('it says what is counted', () => {
  const said: string[] = [];
  let now = 0;
  const meter = createMeter('keys', { write: (text) => said.push(text) }, () => now);
  meter.show({ step: 'wrap', done: 0, total: 2_000, what: 'key' });
  now = 1_000;
  meter.show({ step: 'wrap', done: 500, total: 2_000, what: 'key' });
  expect(said).toEqual(['keys: wrap, 2,000 keys\n', 'keys: wrap, 500 of 2,000 keys (25 %), 500/s, 3 s left\n']);
});

test('where nobody knows how much there is, it says how far it has come', () => {
  const said: string[] = [];
  let now = 0;
  const meter = createMeter('person', { write: (text) => said.push(text) }, () => now);
  meter.show({ step: 'fill', done: 0, total: 0 });
  now = 500;
  meter.show({ step: 'index', done: 1, total: 0 });
  expect(said.at(-1)).toBe('person: index, 1 event, 2/s\n');
  now = 2_000;
  meter.show({ step: 'fill', done: 9_000, total: 0 });
  expect(said.at(-1)).toBe('person: fill, 9,000 events, 4,500/s\n');
});
