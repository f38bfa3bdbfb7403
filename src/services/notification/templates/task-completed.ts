/** To the owner of a task that is done. */
import type { TaskParams } from '#contracts/notification.ts';
import { link, prose } from './prose.ts';
import { ownersFooterInEnglish, taskInEnglish } from './task-words.ts';
import type { Template } from './template.ts';

export const taskCompleted: Template<TaskParams> = {
  en: ({ title }, { home }) => ({
    subject: `${taskInEnglish(title).text} is completed`,
    paragraphs: [prose`${taskInEnglish(title)} is completed.`, link(home)],
    footer: ownersFooterInEnglish,
  }),
};
