/** The registry says the truth: of every public event that a service writes, once, with an example that holds. */
import { expect, test } from 'vitest';
import { compileCatalog } from '../platform/event-store/catalog.ts';
import { EVENTS as NOTIFICATION } from '../services/notification/events.ts';
import { EVENTS as TASK } from '../services/task/events.ts';
import { EVENTS as USER } from '../services/user/events.ts';
import { EVENT_REGISTRY } from './registry.ts';

const WRITTEN = { ...NOTIFICATION, ...TASK, ...USER };
const catalog = compileCatalog(WRITTEN);
const definitions = Object.entries(WRITTEN);
const isPrivate = ({ topic }: { readonly topic: string }) => topic.endsWith('.private');

test('it names just the events that the services write for others', () => {
  const ofEach = [NOTIFICATION, TASK, USER].flatMap((events) => Object.entries(events));
  const forOthers = ofEach.filter(([, definition]) => !isPrivate(definition)).map(([type]) => type);
  expect(Object.keys(EVENT_REGISTRY).toSorted()).toEqual(forOthers.toSorted());
  expect(ofEach.length).toBeGreaterThan(forOthers.length);
});

test.each(definitions)('%s: its example keeps its own schema', (type, { example }) => {
  expect(catalog.get(type)?.faults(example)).toEqual([]);
});

test.each(definitions)('%s lies on its service’s topic, under a name of the past', (type, { topic, summary }) => {
  expect(topic).toMatch(/^(user|task|notification)\.events(\.private)?$/);
  expect(type).toMatch(/^[a-z_]+\.([a-z_]+ed|sent|read|unread|reminder_due|overdue)$/);
  expect(summary).toMatch(/\.$/);
});

test.each(
  definitions.flatMap(([type, definition]) =>
    'busKey' in definition ? [[type, definition.busKey ?? '', definition.example] as const] : [],
  ),
)('%s is ordered on the bus by %s, which is there and in clear', (type, busKey, example) => {
  expect(example).toHaveProperty(busKey);
  expect(Object.keys(catalog.get(type)?.personal ?? {})).not.toContain(busKey);
});
