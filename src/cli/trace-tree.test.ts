import { expect, test } from 'vitest';
import { type Handling, type Traced, traceLines } from './trace-tree.ts';

const event = (id: string, causationId: string, ms: number, actor = 'ada', dueAt?: string): Traced => ({
  service: id.startsWith('m') ? 'mails' : 'notes',
  dueAt,
  data: undefined,
  event: {
    id,
    stream: `s-${id}`,
    version: 1,
    topic: 'note.events',
    key: id,
    lane: 0,
    subject: null,
    type: `${id}.done`,
    schemaVersion: 1,
    data: {},
    at: { era: 1, tx: '1', position: 1 },
    metadata: { correlationId: 'r', causationId, actor, requestId: 'r', occurredAt: '' },
    recordedAt: new Date(Date.UTC(2026, 0, 1) + ms).toISOString(),
  },
});

test('below each event stands what came of it, by whom, and who made nothing of it', () => {
  const traced = [
    event('a', 'r', 0),
    event('b', 'r', 2),
    event('m1', 'a', 12, 'greeter'),
    event('m2', 'm1', 2_500, 'sender'),
  ];
  const handlings: readonly Handling[] = [
    { consumer: 'greeter', eventId: 'a', outcome: { kind: 'heard' } },
    { consumer: 'counter', eventId: 'a', outcome: { kind: 'heard' } },
    { consumer: 'greeter', eventId: 'b', outcome: { kind: 'ahead' } },
    {
      consumer: 'counter',
      eventId: 'b',
      outcome: { kind: 'parked', key: 'b', isFirst: true, cause: 'failed', error: 'no' },
    },
  ];
  expect(traceLines('r', traced, handlings)).toEqual([
    'request r: 4 events of notes, mails within 2.5 s',
    '',
    ' +0 ms  notes  s-a@1         a.done   by ada',
    '+12 ms  mails  ├─ s-m1@1     m1.done  by greeter',
    '+2.5 s  mails  │  └─ s-m2@1  m2.done  by sender',
    '               └─ counter    heard it, and made no event of it',
    ' +2 ms  notes  s-b@1         b.done   by ada',
    '               ├─ greeter    has not come to it yet',
    '               └─ counter    parked: failed: no',
  ]);
});

test('an event whose cause is not known stands at the root; when it is due again, and its data, at its end', () => {
  const one = { ...event('a', 'another', 0, 'ada', '2026-02-01T00:00:00.123456Z'), data: { text: 'x' } };
  expect(traceLines('r', [one], [])).toEqual([
    'request r: 1 event of notes',
    '',
    '+0 ms  notes  s-a@1  a.done  by ada, due 2026-02-01T00:00:00.123Z  {"text":"x"}',
  ]);
});

test('who could not handle an event is told, though something of theirs came of it', () => {
  const parked = { kind: 'parked', key: 'k', isFirst: false, cause: 'unreadable', error: 'no JSON' } as const;
  const handlings = [{ consumer: 'greeter', eventId: 'a', outcome: parked }];
  expect(traceLines('r', [event('a', 'r', 0), event('m', 'a', 1, 'greeter')], handlings).slice(3)).toEqual([
    '+1 ms  mails  ├─ s-m@1    m.done  by greeter',
    '              └─ greeter  parked behind another event of key k (unreadable: no JSON)',
  ]);
});
