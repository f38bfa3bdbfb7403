import { describe, test } from 'vitest';
import type { TaskId, TaskTitle } from '#contracts/task.ts';
import type { UserId } from '#contracts/user.ts';
import { scenario } from '#platform/testing/scenario.ts';
import type { InboxEvent } from '../events.ts';
import { type InboxCommand, inboxEntry, type Marks } from './inbox-entry.ts';
import type { Notice } from './notice.ts';

const { given } = scenario(inboxEntry);
const ada = '01939d5e-0000-7000-8000-000000000001' as UserId;
const bob = '01939d5e-0000-7000-8000-000000000002' as UserId;
const notice: Notice = {
  recipientId: ada,
  about: { type: 'task', id: '01939d5e-0000-7000-8000-0000000000ff' as TaskId },
  rule: 'task_overdue',
  params: { title: 'Water the plants' as TaskTitle, dueAt: '2026-01-01T12:00:00.000Z' },
};
const deliver = (late = false): InboxCommand => ({ type: 'DeliverToInbox', notice, late });
const mark = (marks: Marks, by = ada): InboxCommand => ({ type: 'UpdateInboxEntry', by, ...marks });

const requested: InboxEvent = {
  type: 'notification.requested',
  data: { ...notice, channel: 'in_app', class: 'reminder' },
};
const suppressed: InboxEvent = { type: 'notification.suppressed', data: { reason: 'too_old' } };
const read: InboxEvent = { type: 'notification.read', data: {} };
const unread: InboxEvent = { type: 'notification.unread', data: {} };
const archived: InboxEvent = { type: 'notification.archived', data: {} };
const unarchived: InboxEvent = { type: 'notification.unarchived', data: {} };

describe('an entry', () => {
  test('is put into an inbox', () => given().when(deliver()).thenEmits(requested));
  test('is put there once: its id says of what cause it is', () => given(requested).when(deliver()).thenNothing());
  test('stays as it is when it is delivered again', () =>
    given(requested, read, archived).when(deliver()).thenNothing());
  test('whose cause lies too long ago is noted, and not shown', () =>
    given().when(deliver(true)).thenEmits(requested, suppressed));
});

describe('marking it', () => {
  test('as read', () =>
    given(requested)
      .when(mark({ read: true }))
      .thenEmits(read));
  test('as new again', () =>
    given(requested, read)
      .when(mark({ read: false }))
      .thenEmits(unread));
  test('as archived', () =>
    given(requested)
      .when(mark({ archived: true }))
      .thenEmits(archived));
  test('as taken back', () =>
    given(requested, archived)
      .when(mark({ archived: false }))
      .thenEmits(unarchived));
  test('in both ways at once', () =>
    given(requested)
      .when(mark({ read: true, archived: true }))
      .thenEmits(read, archived));
  test('leaves alone what is not said', () =>
    given(requested, read)
      .when(mark({ archived: true }))
      .thenEmits(archived));
  test('as what it is changes nothing', () => {
    given(requested).when(mark({})).thenNothing();
    given(requested)
      .when(mark({ read: false, archived: false }))
      .thenNothing();
    given(requested, read, archived)
      .when(mark({ read: true, archived: true }))
      .thenNothing();
  });
});

describe('it is absent', () => {
  const COMMANDS: readonly Marks[] = [{}, { read: true }, { archived: true }];
  test.each(COMMANDS)('to somebody else: %j', (marks) =>
    given(requested).when(mark(marks, bob)).thenRejected('entry-not-found'));
  test.each(COMMANDS)('where there is none: %j', (marks) => given().when(mark(marks)).thenRejected('entry-not-found'));
  test.each(COMMANDS)('when it was suppressed: %j', (marks) =>
    given(requested, suppressed).when(mark(marks)).thenRejected('entry-not-found'));
});
