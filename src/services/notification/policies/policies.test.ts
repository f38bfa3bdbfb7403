/** When this happens, then that is wished: in the words of the field. */
import { describe, expect, test } from 'vitest';
import type { TaskId, TaskTitle } from '#contracts/task.ts';
import type { EmailAddress, UserId, Username } from '#contracts/user.ts';
import type { HeardTaskEvent } from '../events.ts';
import { type KnownTask, onTask } from './on-task.ts';
import { onUser } from './on-user.ts';
import type { Wish } from './wish.ts';

const ada = '01939d5e-0000-7000-8000-000000000001' as UserId;
const DUE = '2026-12-01T09:00:00.000Z';
const said = (wishes: readonly Wish[]) => wishes.map(({ to, command }) => [to, command]);

describe('when somebody registers', () => {
  const registered = {
    type: 'user.created',
    data: { email: 'ada@example.org' as EmailAddress, username: 'ada' as Username },
  } as const;
  const person = { id: ada, username: 'ada' as Username };
  const notice = { recipientId: ada, about: null, rule: 'welcome', params: { username: 'ada' } };

  test('they get a mail', () => {
    const wishes = onUser['user.created'](registered, person, { late: false });
    expect(said(wishes)).toEqual([['mail', { type: 'RequestMail', notice, late: false }]]);
    expect(wishes[0]?.key).toEqual(['welcome', ada, 'email']);
  });
  test('which is only noted when it was long ago', () =>
    expect(onUser['user.created'](registered, person, { late: true })).toMatchObject([{ command: { late: true } }]));
  test('who was erased meanwhile is greeted without a name', () =>
    expect(onUser['user.created'](registered, { id: ada, username: null }, { late: false })).toMatchObject([
      { command: { notice: { params: { username: null } } } },
    ]));
  test('somebody of whom nothing was kept is a fault', () =>
    expect(() => onUser['user.created'](registered, undefined, { late: false })).toThrow('of whom nothing was kept'));
  test('nothing else about them leads to anything', () =>
    expect(onUser['user.updated']({ type: 'user.updated', data: { changes: {} } }, person, { late: false })).toEqual(
      [],
    ));
});

describe('when something happens to a task', () => {
  const task: KnownTask = {
    id: '01939d5e-0000-7000-8000-0000000000ff' as TaskId,
    ownerId: ada,
    title: 'Water the plants' as TaskTitle,
  };
  const completed: HeardTaskEvent = { type: 'task.completed', data: {} };
  const reminderDue: HeardTaskEvent = { type: 'task.reminder_due', data: { dueAt: DUE } };
  const overdue: HeardTaskEvent = { type: 'task.overdue', data: { dueAt: DUE } };
  const noticeOf = (rule: string, dueAt: string | null) => ({
    recipientId: ada,
    about: { type: 'task', id: task.id },
    rule,
    params: { title: task.title, dueAt },
  });
  const mail = (notice: object) => ['mail', { type: 'RequestMail', notice, late: false }];
  const entry = (notice: object) => ['inbox', { type: 'DeliverToInbox', notice, late: false }];

  test('that it is due soon, its owner is told by mail and in the inbox', () => {
    const notice = noticeOf('task_reminder', DUE);
    const wishes = onTask['task.reminder_due'](reminderDue, task, { late: false });
    expect(said(wishes)).toEqual([mail(notice), entry(notice)]);
    expect(wishes.map(({ key }) => key)).toEqual([
      ['task_reminder', ada, 'email'],
      ['task_reminder', ada, 'in_app'],
    ]);
  });
  test('that it is overdue, likewise', () => {
    const notice = noticeOf('task_overdue', DUE);
    expect(said(onTask['task.overdue'](overdue, task, { late: false }))).toEqual([mail(notice), entry(notice)]);
  });
  test('that it is completed, in the inbox alone', () =>
    expect(said(onTask['task.completed'](completed, task, { late: false }))).toEqual([
      entry(noticeOf('task_completed', null)),
    ]));
  test('what is long ago is only noted', () =>
    expect(onTask['task.overdue'](overdue, task, { late: true })).toMatchObject([
      { command: { late: true } },
      { command: { late: true } },
    ]));
  test('a title that was erased is none', () =>
    expect(onTask['task.completed'](completed, { ...task, title: null }, { late: false })).toMatchObject([
      { command: { notice: { params: { title: null } } } },
    ]));
  test('a task of which nobody knows whose it is is a fault', () => {
    const words = 'of which nobody knows whose it is';
    expect(() => onTask['task.completed'](completed, undefined, { late: false })).toThrow(words);
    expect(() => onTask['task.overdue'](overdue, undefined, { late: false })).toThrow(words);
  });
});
