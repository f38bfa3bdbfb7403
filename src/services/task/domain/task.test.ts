import { describe, expect, test } from 'vitest';
import type { CategoryId, TaskDescription, TaskEvent, TaskFields, TaskTitle } from '#contracts/task.ts';
import type { TimeZone, UserId } from '#contracts/user.ts';
import { scenario, stateAfter } from '#platform/testing/scenario.ts';
import { nextDue, task } from './task.ts';

const { given } = scenario(task);
const ada = '01939d5e-0000-7000-8000-000000000001' as UserId;
const bob = '01939d5e-0000-7000-8000-000000000002' as UserId;
const home = '01939d5e-0000-7000-8000-0000000000c1' as CategoryId;
const garden = '01939d5e-0000-7000-8000-0000000000c2' as CategoryId;
const fields: TaskFields = {
  title: 'Water the plants' as TaskTitle,
  description: 'the ficus too' as TaskDescription,
  priority: 'medium',
  categoryId: home,
  due: { at: '2026-12-01T09:00:00Z' },
};
const created: TaskEvent = { type: 'task.created', data: { ownerId: ada, ...fields } };
const completed: TaskEvent = { type: 'task.completed', data: {} };
const reopened: TaskEvent = { type: 'task.reopened', data: {} };
const deleted: TaskEvent = { type: 'task.deleted', data: {} };
const restored: TaskEvent = { type: 'task.restored', data: {} };
const updated = (changes: Extract<TaskEvent, { type: 'task.updated' }>['data']['changes']): TaskEvent => ({
  type: 'task.updated',
  data: { changes },
});

describe('creating', () => {
  test('makes a task of whoever asks', () => given().when({ type: 'CreateTask', by: ada, fields }).thenEmits(created));
  test('is refused where there is a task', () =>
    given(created).when({ type: 'CreateTask', by: ada, fields }).thenRejected('task-already-exists'));
});

describe('changing', () => {
  test('tells from what to what', () =>
    given(created)
      .when({ type: 'UpdateTask', by: ada, changes: { priority: 'high', title: fields.title } })
      .thenEmits(updated({ priority: { from: 'medium', to: 'high' } })));
  test('clears with null', () =>
    given(created)
      .when({ type: 'UpdateTask', by: ada, changes: { due: null } })
      .thenEmits(updated({ due: { from: { at: '2026-12-01T09:00:00Z' }, to: null } })));
  test('changes nothing when all is so already', () =>
    given(created)
      .when({ type: 'UpdateTask', by: ada, changes: { ...fields } })
      .thenNothing());
  test('starts from what earlier changes left', () =>
    given(created, updated({ priority: { from: 'medium', to: 'high' } }))
      .when({ type: 'UpdateTask', by: ada, changes: { priority: 'low' } })
      .thenEmits(updated({ priority: { from: 'high', to: 'low' } })));
  test('works on a completed task', () =>
    given(created, completed)
      .when({ type: 'UpdateTask', by: ada, changes: { priority: 'low' } })
      .thenEmits(updated({ priority: { from: 'medium', to: 'low' } })));
});

describe('completing and reopening', () => {
  test('completes an open task', () => given(created).when({ type: 'CompleteTask', by: ada }).thenEmits(completed));
  test('completes once', () =>
    given(created, completed).when({ type: 'CompleteTask', by: ada }).thenRejected('task-already-completed'));
  test('reopens a completed task', () =>
    given(created, completed).when({ type: 'ReopenTask', by: ada }).thenEmits(reopened));
  test('reopens no open task', () =>
    given(created, completed, reopened).when({ type: 'ReopenTask', by: ada }).thenRejected('task-not-completed'));
  test('completes a reopened task again', () =>
    given(created, completed, reopened).when({ type: 'CompleteTask', by: ada }).thenEmits(completed));
});

describe('the trash', () => {
  test('takes a task', () => given(created).when({ type: 'DeleteTask', by: ada }).thenEmits(deleted));
  test('gives it back as it was', () =>
    given(created, completed, deleted).when({ type: 'RestoreTask', by: ada }).thenEmits(restored));
  test('gives back only what lies in it', () =>
    given(created).when({ type: 'RestoreTask', by: ada }).thenRejected('task-not-deleted'));
  test.each([
    { type: 'UpdateTask', by: ada, changes: { priority: 'low' } },
    { type: 'CompleteTask', by: ada },
    { type: 'ReopenTask', by: ada },
    { type: 'DeleteTask', by: ada },
  ] as const)('lets nothing else be done: $type', (command) =>
    given(created, deleted).when(command).thenRejected('task-deleted'));
  test('a restored task is still completed', () =>
    given(created, completed, deleted, restored)
      .when({ type: 'CompleteTask', by: ada })
      .thenRejected('task-already-completed'));
});

describe('leaving a category', () => {
  const out = updated({ categoryId: { from: home, to: null } });
  test('clears it', () =>
    given(created).when({ type: 'LeaveCategory', by: ada, from: home, to: 'list' }).thenEmits(out));
  test('and may go to the trash', () =>
    given(created).when({ type: 'LeaveCategory', by: ada, from: home, to: 'trash' }).thenEmits(out, deleted));
  test('happens in the trash too', () =>
    given(created, deleted).when({ type: 'LeaveCategory', by: ada, from: home, to: 'trash' }).thenEmits(out));
  test('does nothing to a task of another category', () =>
    given(created).when({ type: 'LeaveCategory', by: ada, from: garden, to: 'trash' }).thenNothing());
});

describe('as time passes', () => {
  const at = (now: string) => ({ type: 'PassTime', now }) as const;
  const dueAt = '2026-12-01T09:00:00.000Z';
  const reminder: TaskEvent = { type: 'task.reminder_due', data: { dueAt } };
  const overdue: TaskEvent = { type: 'task.overdue', data: { dueAt } };
  const BEFORE = '2026-11-30T08:59:59.999Z';
  const A_DAY_BEFORE = '2026-11-30T09:00:00.000Z';
  const JUST_BEFORE = '2026-12-01T08:59:59.999Z';
  const LATER = '2027-01-01T00:00:00.000Z';
  const postponed = updated({ due: { from: { at: '2026-12-01T09:00:00Z' }, to: { at: '2026-12-24T18:00:00Z' } } });
  const broughtBack = updated({ due: { from: { at: '2026-12-24T18:00:00Z' }, to: { at: '2026-12-01T09:00:00Z' } } });

  test('nothing happens until a day before it is due', () => given(created).when(at(BEFORE)).thenNothing());
  test('it is reminded of from then on', () => {
    given(created).when(at(A_DAY_BEFORE)).thenEmits(reminder);
    given(created).when(at(JUST_BEFORE)).thenEmits(reminder);
  });
  test('of one due instant once', () => given(created, reminder).when(at(JUST_BEFORE)).thenNothing());
  test('it is overdue from the instant on at which it was due', () =>
    given(created, reminder).when(at(dueAt)).thenEmits(overdue));
  test('and becomes so once', () => given(created, reminder, overdue).when(at(LATER)).thenNothing());
  test('to whoever missed both, it is overdue, and no reminder comes after that', () => {
    given(created).when(at(LATER)).thenEmits(overdue);
    given(created, overdue).when(at(JUST_BEFORE)).thenNothing(); // the clock was set back
  });

  test('a day in a zone ends where the next one begins', () => {
    const tax = { ...fields, due: { date: '2026-12-01', zone: 'Europe/Berlin' as TimeZone } };
    const onADay: TaskEvent = { type: 'task.created', data: { ownerId: ada, ...tax } };
    given(onADay).when(at('2026-11-30T22:59:59.999Z')).thenNothing();
    const endOfDay = { dueAt: '2026-12-01T23:00:00.000Z' };
    given(onADay).when(at('2026-11-30T23:00:00.000Z')).thenEmits({ type: 'task.reminder_due', data: endOfDay });
    given(onADay).when(at('2026-12-01T23:00:00.000Z')).thenEmits({ type: 'task.overdue', data: endOfDay });
  });

  test('of what was set less than a day before, nobody is reminded: it was just said', () => {
    const soon = { at: '2026-01-01T12:00:00Z' };
    const hurried: TaskEvent = { type: 'task.created', data: { ownerId: ada, ...fields, due: soon } };
    const late: TaskEvent = { type: 'task.overdue', data: { dueAt: '2026-01-01T12:00:00.000Z' } };
    given(hurried).when(at('2026-01-01T11:59:59.999Z')).thenNothing();
    given(hurried).when(at('2026-01-01T12:00:00.000Z')).thenEmits(late);
    const hastened = updated({ due: { from: { at: '2026-12-01T09:00:00Z' }, to: soon } });
    given(created, hastened).when(at('2026-01-01T11:59:59.999Z')).thenNothing();
  });
  test('the same instant in other words was not set anew', () => {
    const soon = { at: '2026-01-02T00:00:01Z' }; // a day after the task was created, less after it was updated
    const soonCreated: TaskEvent = { type: 'task.created', data: { ownerId: ada, ...fields, due: soon } };
    const reworded = updated({ due: { from: soon, to: { at: '2026-01-02T00:00:01.000Z' } } });
    given(soonCreated, reworded)
      .when(at('2026-01-01T00:00:03.000Z'))
      .thenEmits({ type: 'task.reminder_due', data: { dueAt: '2026-01-02T00:00:01.000Z' } });
  });

  test('another due instant starts over', () => {
    const christmas = { dueAt: '2026-12-24T18:00:00.000Z' };
    given(created, reminder, overdue, postponed)
      .when(at('2026-12-23T18:00:00.000Z'))
      .thenEmits({ type: 'task.reminder_due', data: christmas });
    given(created, postponed).when(at(LATER)).thenEmits({ type: 'task.overdue', data: christmas });
  });
  test('one that was there before does not', () =>
    given(created, reminder, overdue, postponed, broughtBack).when(at(LATER)).thenNothing());
  test('without one, nothing happens', () =>
    given(created, updated({ due: { from: { at: '2026-12-01T09:00:00Z' }, to: null } }))
      .when(at(LATER))
      .thenNothing());

  test.each([
    ['completed', completed, reopened],
    ['in the trash', deleted, restored],
  ])('nothing happens to what is %s, and goes on once it is not any more', (_where, away, back) => {
    given(created, away).when(at(LATER)).thenNothing();
    given(created, away, back).when(at(JUST_BEFORE)).thenEmits(reminder);
    given(created, reminder, away, back).when(at(JUST_BEFORE)).thenNothing();
    given(created, reminder, away, back).when(at(LATER)).thenEmits(overdue);
    given(created, overdue, away, back).when(at(LATER)).thenNothing();
  });
  test('on nothing there is nothing to say', () => given().when(at(LATER)).thenRejected('task-not-found'));

  test.each<[what: string, events: readonly TaskEvent[], next: string | null]>([
    ['a day before it is due', [created], A_DAY_BEFORE],
    ['when it is due', [created, reminder], dueAt],
    ['never', [created, overdue], null],
    ['never, while it is completed', [created, completed], null],
    ['never, while it is in the trash', [created, deleted], null],
    ['a day before it is due now', [created, overdue, postponed], '2026-12-23T18:00:00.000Z'],
  ])('the next time to look at it is %s', (_when, events, next) => {
    const state = stateAfter(task, events);
    expect(state && nextDue(state)).toBe(next);
  });
});

describe('another’s task is an absent one', () => {
  const commands = [
    { type: 'UpdateTask', changes: { priority: 'low' } },
    { type: 'CompleteTask' },
    { type: 'ReopenTask' },
    { type: 'DeleteTask' },
    { type: 'RestoreTask' },
    { type: 'LeaveCategory', from: home, to: 'list' },
  ] as const;
  test.each(commands)('$type by somebody else', (command) =>
    given(created)
      .when({ ...command, by: bob })
      .thenRejected('task-not-found'));
  test.each(commands)('$type on nothing', (command) =>
    given()
      .when({ ...command, by: ada })
      .thenRejected('task-not-found'));
});
