/** The events that the user service writes: so far all of them are public. */
import { USER_EVENTS } from '#contracts/user.ts';

export type { SessionEvent, UserEvent } from '#contracts/user.ts';
export const EVENTS = USER_EVENTS;
