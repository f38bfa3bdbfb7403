/** The stream of a task, as its history is told from it. */
import type { TaskId } from '#contracts/task.ts';
import { type RecordedEvent, streamName } from '#platform/event-store/event.ts';
import { type EventStore, eventsOf } from '#platform/event-store/store.ts';
import type { TaskEvent } from '../events.ts';

export const loadTaskEvents = async (store: EventStore, id: TaskId): Promise<readonly RecordedEvent<TaskEvent>[]> =>
  eventsOf<TaskEvent>(await store.load(streamName('task', id)));
