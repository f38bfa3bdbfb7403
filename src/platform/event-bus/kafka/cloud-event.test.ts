import { describe, expect, test } from 'vitest';
import { laneOf } from '../../event-store/lane.ts';
import type { Delivery } from '../delivery.ts';
import { type BrokerRecord, fromRecord, toRecord } from './cloud-event.ts';

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
});

test('a record of ours with a broken value is an event still: it has its place, and its followers', () => {
  const broken = fromRecord('task', place, { ...sent, value: null });
  expect(broken).toEqual({ ...delivery, envelope: { ...delivery.envelope, data: '' } });
});
