import { describe, expect, test } from 'vitest';
import { laneOf } from '../../event-store/lane.ts';
import type { Delivery } from '../delivery.ts';
import { type BrokerRecord, fromRecord, identityOf, toRecord } from './cloud-event.ts';

const delivery: Delivery = {
  topic: 'task.events',
  key: 'k-1',
  lane: laneOf('k-1'),
  at: { era: 2, tx: '18446744073709551615', position: 9 },
  after: { era: 1, tx: '3', position: 4 },
  envelope: {
    id: '0198c0de-0000-7000-8000-000000000001',
    stream: 'task-1',
    version: 3,
    subject: 'ada',
    type: 'task.created',
    schemaVersion: 2,
    data: '{"title":{"$sealed":"…"}}',
    metadata: JSON.stringify({
      correlationId: 'c',
      causationId: 'd',
      actor: 'ada',
      requestId: 'r',
      traceparent: '00-1-2-01',
      occurredAt: '2026-11-25T10:00:00.000Z',
    }),
    recordedAt: '2026-11-25T10:00:00.123Z',
  },
};
const place = { topic: 'task.events', partition: 3, offset: 41n, timestamp: 1_764_064_800_000n };
const asKept = ({ key, value, headers }: ReturnType<typeof toRecord>): BrokerRecord => ({
  key,
  value,
  headers: [...headers],
});
const sent = asKept(toRecord('task', delivery));
const header = (name: string) => sent.headers.find(([key]) => key?.toString() === name)?.[1]?.toString();
const without = (name: string): BrokerRecord => ({
  ...sent,
  headers: sent.headers.filter(([key]) => key?.toString() !== name),
});

describe('an event as a record', () => {
  test('comes back as it was', () => {
    expect(fromRecord('task', place, sent)).toEqual(delivery);
  });
  test('is a CloudEvent in binary mode, its value nothing but the data', () => {
    expect(sent.value?.toString()).toBe(delivery.envelope.data);
    expect(sent.key?.toString()).toBe('k-1');
    expect([header('ce_specversion'), header('ce_source'), header('ce_type')]).toEqual([
      '1.0',
      '/taskwire/task',
      'task.created',
    ]);
    expect([header('ce_sequence'), header('ce_partitionkey'), header('content-type')]).toEqual([
      '3',
      'k-1',
      'application/json',
    ]);
  });
  test('without a subject or a trace says nothing of either', () => {
    const { traceparent: _, ...metadata } = JSON.parse(delivery.envelope.metadata);
    const envelope = { ...delivery.envelope, subject: null, metadata: JSON.stringify(metadata) };
    expect(fromRecord('task', place, asKept(toRecord('task', { ...delivery, envelope })))).toEqual({
      ...delivery,
      envelope,
    });
  });
});

describe('what is nobody’s', () => {
  test.each([
    ['without headers', { ...sent, headers: [] }],
    ['without its place', without('ce_position')],
    ['without its predecessor', without('ce_predecessor')],
    ['of another source', asKept(toRecord('user', delivery))],
    ['without an id', without('ce_id')],
    ['empty', { key: null, value: null, headers: [] }],
  ] as const)('%s is a stray, named by where it lies', (_, record) => {
    const stray = fromRecord('task', place, record);
    expect(stray).toMatchObject({ kind: 'stray', topic: 'task.events', lane: 3, key: 'record 3/41' });
    expect(stray.at).toEqual({ era: 0, tx: '3', position: 42 });
  });
  test('keeps its bytes, as text where PostgreSQL can keep them', () => {
    const bytes = Buffer.from([0xff, 0x00, 0x01]);
    const stray = fromRecord('task', place, { key: null, value: bytes, headers: [[null, null]] });
    expect(stray.envelope.data).toBe(`base64:${bytes.toString('base64')}`);
    const nul = fromRecord('task', place, { key: null, value: Buffer.from('a\0b'), headers: [] });
    expect(nul.envelope.data).toMatch(/^base64:/);
    expect(stray.envelope.recordedAt).toBe('2025-11-25T10:00:00.000Z');
  });
  test('is kept as far as anybody looks, and what is a text stays one', () => {
    const headers = [[Buffer.from('ce_type'), Buffer.from('y'.repeat(1_000_000))]] as const;
    const stray = fromRecord('task', place, { key: null, value: Buffer.from(`x${'ü'.repeat(1_000_000)}`), headers });
    expect(stray.envelope.data).toBe(`x${'ü'.repeat(1_999)}`);
    expect(stray.envelope.type).toBe('y'.repeat(500));
    expect(stray).toMatchObject({ error: expect.stringContaining('first 4000 of its 2000001 bytes') });
    const bytes = Buffer.alloc(1_000_000, 0xbf);
    const none = fromRecord('task', place, { key: null, value: bytes, headers: [] });
    expect(none.envelope.data.length).toBeLessThan(6_000);
  });
});

describe('when something was recorded', () => {
  const EPOCH = '1970-01-01T00:00:00.000Z';
  const saying = (text: string): BrokerRecord => ({
    ...sent,
    headers: [...without('ce_recordedat').headers, [Buffer.from('ce_recordedat'), Buffer.from(text)]],
  });
  const recordedAt = (record: BrokerRecord, timestamp = place.timestamp, source = 'task') =>
    fromRecord(source, { ...place, timestamp }, record).envelope.recordedAt;

  test.each([
    ['in microseconds', 1_700_000_000_000_000n, EPOCH],
    ['in nanoseconds', 1_700_000_000_000_000_000n, EPOCH],
    ['before the year 1', -100_000_000_000_000n, EPOCH],
    ['that is no instant', -9_000_000_000_000_000n, EPOCH],
    ['of the first instant', -62_135_596_800_000n, '0001-01-01T00:00:00.000Z'],
    ['of the last one', 253_402_300_799_999n, '9999-12-31T23:59:59.999Z'],
    ['after it', 253_402_300_800_000n, EPOCH],
    ['that nobody gave', -1n, '1969-12-31T23:59:59.999Z'],
  ])('is never thrown over: a timestamp %s', (_, timestamp, instant) => {
    expect(recordedAt(without('ce_recordedat'), timestamp)).toBe(instant);
    expect(recordedAt(sent, timestamp, 'user'), 'a stray').toBe(instant);
    expect(recordedAt(sent, timestamp), 'ours says it itself').toBe(delivery.envelope.recordedAt);
  });
  test.each([
    '2026-11-25T10:00:00.123Z',
    '2026-11-25T10:00:00.123456Z',
    '2024-02-29T23:59:59.9999Z',
  ])('is what a record of ours says: %s', (text) => expect(recordedAt(saying(text))).toBe(text));
  test.each([
    '2026-02-30T00:00:00Z',
    '2026-02-30T00:00:00.000Z',
    '2026-11-25T24:00:00.000Z',
    '0000-01-01T00:00:00.000Z',
    '2026-11-25 10:00:00.000Z',
    '2026-11-25T10:00:00.000+01:00',
    '2026-11-25T10:00:00.1234567Z',
    '2026-11-25T10:00:60.000Z',
    '2026-11-25 yesterday',
    'infinity',
  ])('is when it was sent, where a record says %s', (text) => {
    expect(recordedAt(saying(text))).toBe('2025-11-25T10:00:00.000Z');
  });
});

test.each([
  ['larger than xid8', '1:18446744073709551616:1'],
  ['with a zero before it', '1:01:1'],
  ['larger than an integer', '9999999999:1:1'],
  ['larger than a number tells apart', '1:1:9999999999999999'],
])('a place %s is none', (_, position) => {
  const headers = sent.headers.filter(([key]) => key?.toString() !== 'ce_position');
  const forged = { ...sent, headers: [...headers, [Buffer.from('ce_position'), Buffer.from(position)] as const] };
  expect(fromRecord('task', place, forged)).toMatchObject({ kind: 'stray', error: 'it has no place in a feed' });
});

test('a record of ours with a broken value is an event still: it has its place, and its followers', () => {
  const broken = fromRecord('task', place, { ...sent, value: null });
  expect(broken).toEqual({ ...delivery, envelope: { ...delivery.envelope, data: '' } });
});

const headed = (name: string, value: string): readonly [Buffer, Buffer] => [Buffer.from(name), Buffer.from(value)];
test.each([
  ['as it was sent', sent],
  ...['ce_specversion', 'ce_source', 'ce_id', 'ce_position', 'ce_predecessor', 'ce_type', 'traceparent'].map(
    (name): [string, BrokerRecord] => [`without ${name}`, without(name)],
  ),
  ['of two ids', { ...sent, headers: [...sent.headers, headed('ce_id', 'another')] }],
  ['of two places', { ...sent, headers: [headed('ce_position', '9:9:9'), ...sent.headers] }],
  ['whose last source is another one', { ...sent, headers: [...sent.headers, headed('ce_source', '/taskwire/user')] }],
  ['with headers of nothing', { ...sent, headers: [[null, null], ...sent.headers, [Buffer.from('ce_id'), null]] }],
] satisfies (readonly [
  string,
  BrokerRecord,
])[])('a record %s is known for the same event by its headers as by all of it', (_, record) => {
  const whole = fromRecord('task', place, record);
  const known = 'kind' in whole ? undefined : { id: whole.envelope.id, at: whole.at };
  expect(identityOf('task', record)).toEqual(known);
});
