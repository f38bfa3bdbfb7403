/** To the owner of a task that was due, and is still open. */
import type { TaskParams } from '#contracts/notification.ts';
import { link, prose } from './prose.ts';
import { ownersFooterInEnglish, taskInEnglish } from './task-words.ts';
import type { Template } from './template.ts';

export const taskOverdue: Template<TaskParams> = {
  en: ({ title, dueAt }, { date, home }) => ({
    subject: `${taskInEnglish(title).text} is overdue`,
    paragraphs: [
      dueAt === null
        ? prose`${taskInEnglish(title)} is overdue.`
        : prose`${taskInEnglish(title)} was due on ${date(dueAt)}, and is still open.`,
      link(home),
    ],
    footer: ownersFooterInEnglish,
  }),
};
