/** To the owner of a task that is due soon. */
import type { TaskParams } from '#contracts/notification.ts';
import { link, prose } from './prose.ts';
import { ownersFooterInEnglish, taskInEnglish } from './task-words.ts';
import type { Template } from './template.ts';

export const taskReminder: Template<TaskParams> = {
  en: ({ title, dueAt }, { date, home }) => ({
    subject: `${taskInEnglish(title).text} is due soon`,
    paragraphs: [
      dueAt === null
        ? prose`${taskInEnglish(title)} is due soon.`
        : prose`${taskInEnglish(title)} is due on ${date(dueAt)}.`,
      link(home),
    ],
    footer: ownersFooterInEnglish,
  }),
};
