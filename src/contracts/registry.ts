/** Every public event, defined once. Types, validation, sealing, JSON Schema and the docs are made from it. */
import { NOTIFICATION_EVENTS } from './notification.ts';
import { CATEGORY_EVENTS, TASK_EVENTS } from './task.ts';
import { USER_EVENTS } from './user.ts';

export const EVENT_REGISTRY = { ...USER_EVENTS, ...TASK_EVENTS, ...CATEGORY_EVENTS, ...NOTIFICATION_EVENTS } as const;
