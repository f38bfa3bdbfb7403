import { describe, test } from 'vitest';
import type { CategoryId, TaskDescription, TaskEvent, TaskFields, TaskTitle } from '#contracts/task.ts';
import type { UserId } from '#contracts/user.ts';
import { scenario } from '#platform/testing/scenario.ts';
import { task } from './task.ts';

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
