/** No sequence of commands reaches an illegal state, and what is folded in three ways agrees. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { CategoryId, Due, Priority, TaskDescription, TaskEvent, TaskFields, TaskTitle } from '#contracts/task.ts';
import type { UserId } from '#contracts/user.ts';
import { isRejection } from '#platform/decider.ts';
import { compileCatalog } from '#platform/event-store/catalog.ts';
import { metaOf, stateAfter } from '#platform/testing/scenario.ts';
import { EVENTS } from '../events.ts';
import { type TaskRow, taskList } from '../read-models/task-list.ts';
import { dueInstant } from './due.ts';
import { nextDue, type TaskCommand, task } from './task.ts';

const user = fc.constantFrom(
  ...(['01939d5e-0000-7000-8000-000000000001', '01939d5e-0000-7000-8000-000000000002'] as UserId[]),
);
const category = fc.constantFrom(
  ...(['01939d5e-0000-7000-8000-0000000000c1', '01939d5e-0000-7000-8000-0000000000c2'] as CategoryId[]),
);
const due: fc.Arbitrary<Due> = fc.oneof(
  fc.constantFrom('2026-12-01T09:00:00Z', '2027-01-01T00:00:00Z').map((at) => ({ at })),
  fc.record({
    date: fc.constantFrom('2026-03-29', '2026-10-25'),
    zone: fc.constantFrom('Europe/Berlin', 'Pacific/Apia'),
  }) as fc.Arbitrary<Due>,
);
/** Before, between and after the due instants, and just at them. */
const instant = fc.constantFrom(
  '2026-01-01T00:00:00.000Z',
  '2026-03-29T09:00:00.000Z',
  '2026-11-30T09:00:00.000Z',
  '2026-12-01T08:59:59.999Z',
  '2026-12-01T09:00:00.000Z',
  '2026-12-31T12:00:00.000Z',
  '2028-01-01T00:00:00.000Z',
);
const fields: fc.Arbitrary<TaskFields> = fc.record({
  title: fc.constantFrom(...(['a', 'b'] as TaskTitle[])),
  description: fc.option(fc.constantFrom(...(['x', 'y'] as TaskDescription[]))),
  priority: fc.constantFrom<Priority>('low', 'medium', 'high', 'urgent'),
  categoryId: fc.option(category),
  due: fc.option(due),
});
const command: fc.Arbitrary<TaskCommand> = fc.oneof(
  fc.record({ type: fc.constant('CreateTask'), by: user, fields }),
  fc.record({
    type: fc.constant('UpdateTask'),
    by: user,
    changes: fc
      .tuple(fields, fc.subarray(['title', 'description', 'priority', 'categoryId', 'due']))
      .map(([all, some]) => Object.fromEntries(Object.entries(all).filter(([name]) => some.includes(name)))),
  }),
  fc.record({ type: fc.constantFrom('CompleteTask', 'ReopenTask', 'DeleteTask', 'RestoreTask'), by: user }),
  fc.record({ type: fc.constant('PassTime'), now: instant }),
  fc.record({ type: fc.constant('LeaveCategory'), by: user, from: category, to: fc.constantFrom('list', 'trash') }),
) as fc.Arbitrary<TaskCommand>;

const catalog = compileCatalog(EVENTS);
const run = (commands: readonly TaskCommand[]): TaskEvent[] => {
  const events: TaskEvent[] = [];
  for (const one of commands) {
    const decision = task.decide(stateAfter(task, events), one);
    if (!isRejection(decision)) events.push(...decision);
  }
  return events;
};
const rowAfter = (events: readonly TaskEvent[]): TaskRow | undefined =>
  events.reduce<TaskRow | undefined>((row, event, n) => taskList.apply(row, event, metaOf(n + 1)), undefined);

test('every event that any sequence of commands leads to keeps its contract', () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 30 }), (commands) => {
      for (const { type, data } of run(commands)) expect(catalog.get(type)?.faults(data)).toEqual([]);
    }),
  );
});

test('completed and in the trash are never entered twice in a row, and nothing happens in the trash but leaving it', () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 40 }), (commands) => {
      let completed = false;
      let trashed = false;
      for (const { type, data } of run(commands)) {
        if (type === 'task.completed') expect([completed, trashed]).toEqual([false, false]);
        if (type === 'task.reopened') expect([completed, trashed]).toEqual([true, false]);
        if (type === 'task.deleted') expect(trashed).toBe(false);
        if (type === 'task.restored') expect(trashed).toBe(true);
        if (type === 'task.updated' && trashed) expect(Object.keys(data.changes)).toEqual(['categoryId']);
        completed = type === 'task.completed' || (completed && type !== 'task.reopened');
        trashed = type === 'task.deleted' || (trashed && type !== 'task.restored');
      }
    }),
  );
});

test('of a due instant a task is reminded once and before it is overdue, overdue once, and neither while nobody waits for it', () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 40 }), (commands) => {
      const told: string[] = [];
      let events: TaskEvent[] = [];
      for (const one of commands) {
        const before = stateAfter(task, events);
        const decision = task.decide(before, one);
        if (isRejection(decision)) continue;
        events = [...events, ...decision];
        for (const { type, data } of decision) {
          if (type !== 'task.reminder_due' && type !== 'task.overdue') continue;
          expect([one.type, before?.status, before?.place]).toEqual(['PassTime', 'open', 'list']);
          expect(data.dueAt).toBe(before?.fields.due && dueInstant(before.fields.due));
          expect(told).not.toContain(`${type} ${data.dueAt}`);
          expect(told).not.toContain(`task.overdue ${data.dueAt}`);
          told.push(`${type} ${data.dueAt}`);
        }
      }
    }),
  );
});

test('whenever something is due, passing time does something, so that no timer fires in vain for ever', () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 40 }), instant, (commands, now) => {
      const state = stateAfter(task, run(commands));
      if (state === undefined) return;
      const due = nextDue(state);
      const decision = task.decide(state, { type: 'PassTime', now });
      expect(decision).toHaveLength(due !== null && due <= now ? 1 : 0);
    }),
  );
});

test('the state, the row and the telling of the changes agree', () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 40 }), (commands) => {
      const events = run(commands);
      const state = stateAfter(task, events);
      const row = rowAfter(events);
      expect(row === undefined).toBe(state === undefined);
      if (!state || !row) return;
      const { title, description, priority, categoryId, due } = row;
      expect({ title, description, priority, categoryId, due }).toEqual(state.fields);
      expect(row).toMatchObject({ ownerId: state.ownerId, status: state.status, version: events.length });
      expect(row.deletedAt !== null).toBe(state.place === 'trash');
      expect(row.completedAt !== null).toBe(state.status === 'completed');
      expect(row.dueAt).toBe(state.fields.due && dueInstant(state.fields.due));
    }),
  );
});

test('a change never says that something became what it was', () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 40 }), (commands) => {
      for (const event of run(commands)) {
        if (event.type !== 'task.updated') continue;
        const changes = Object.values(event.data.changes);
        expect(changes.length).toBeGreaterThan(0);
        for (const { from, to } of changes) expect(from).not.toEqual(to);
      }
    }),
  );
});
