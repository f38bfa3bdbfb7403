/** The events that the task service writes: so far all of them are public. */
import { CATEGORY_EVENTS, TASK_EVENTS } from '#contracts/task.ts';

export type { CategoryEvent, TaskEvent } from '#contracts/task.ts';
export const EVENTS = { ...TASK_EVENTS, ...CATEGORY_EVENTS } as const;
