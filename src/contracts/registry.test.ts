/** The registry says the truth: of every event that a service writes, once, with an example that holds. */
import { expect, test } from 'vitest';
import { compileCatalog } from '../platform/event-store/catalog.ts';
import { EVENTS as TASK } from '../services/task/events.ts';
import { EVENTS as USER } from '../services/user/events.ts';
import { EVENT_REGISTRY } from './registry.ts';

const catalog = compileCatalog(EVENT_REGISTRY);
const definitions = Object.entries(EVENT_REGISTRY);

test('it names just the events that the services write', () => {
  expect(Object.keys(EVENT_REGISTRY).toSorted()).toEqual([...Object.keys(USER), ...Object.keys(TASK)].toSorted());
});

test.each(definitions)('%s: its example keeps its own schema', (type, { example }) => {
  expect(catalog.get(type)?.faults(example)).toEqual([]);
});

test.each(definitions)('%s lies on its service’s topic, under a name of the past', (type, { topic, summary }) => {
  expect(topic).toMatch(/^(user|task)\.events$/);
  expect(type).toMatch(/^[a-z_]+\.[a-z_]+ed$/);
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
