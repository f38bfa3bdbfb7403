/** The words of each rule. */
import type { Rule, TaskParams, WelcomeParams } from '#contracts/notification.ts';
import { isErased, type Personal } from '#platform/decider.ts';
import { taskCompleted } from './task-completed.ts';
import { taskOverdue } from './task-overdue.ts';
import { taskReminder } from './task-reminder.ts';
import { type Letter, letterOf, type Reader } from './template.ts';
import { welcome } from './welcome.ts';

export type Params = Personal<WelcomeParams | TaskParams>;

/** What somebody is told by a rule. Throws when the parameters are another rule's; erased ones are none. */
export const render = (rule: Rule, params: Params, reader: Reader, home: string): Letter => {
  switch (rule) {
    case 'welcome':
      return letterOf(welcome, welcomeParams(params), reader, home);
    case 'task_reminder':
      return letterOf(taskReminder, taskParams(params), reader, home);
    case 'task_overdue':
      return letterOf(taskOverdue, taskParams(params), reader, home);
    case 'task_completed':
      return letterOf(taskCompleted, taskParams(params), reader, home);
  }
};

const welcomeParams = (params: Params): WelcomeParams => {
  if (isErased(params)) return { username: null };
  if ('username' in params) return params;
  throw new Error('a welcome needs a username');
};
const taskParams = (params: Params): TaskParams => {
  if (isErased(params)) return { title: null, dueAt: null };
  if ('title' in params) return params;
  throw new Error('words about a task need its title');
};
