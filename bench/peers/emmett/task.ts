import { type Command, type Event, IllegalStateError, NotFoundError } from '@event-driven-io/emmett';

export type Task = {
  id: string;
  ownerId: string;
  title: string;
  description: string;
  status: 'open' | 'completed';
  priority: 'low' | 'medium' | 'high' | 'urgent';
  due: string | null;
  createdAt: string;
  completedAt: string | null;
};

export type NewTask = Pick<Task, 'title' | 'description' | 'priority' | 'due'>;

type TaskCreated = Event<'TaskCreated', NewTask & { taskId: string; ownerId: string; createdAt: string }>;
type TaskCompleted = Event<'TaskCompleted', { taskId: string; completedAt: string }>;
export type TaskEvent = TaskCreated | TaskCompleted;

type CreateTask = Command<'CreateTask', NewTask & { taskId: string; ownerId: string; now: string }>;
type CompleteTask = Command<'CompleteTask', { taskId: string; ownerId: string; now: string }>;
export type TaskCommand = CreateTask | CompleteTask;

export const initialState = (): Task | null => null;

export const evolve = (task: Task | null, { type, data }: TaskEvent): Task | null => {
  switch (type) {
    case 'TaskCreated': {
      const { taskId, ...fields } = data;
      return { id: taskId, ...fields, status: 'open', completedAt: null };
    }
    case 'TaskCompleted':
      return task && { ...task, status: 'completed', completedAt: data.completedAt };
  }
};

export const decide = ({ type, data }: TaskCommand, task: Task | null): TaskEvent => {
  switch (type) {
    case 'CreateTask': {
      if (task) throw new IllegalStateError('task exists already');
      const { now, ...fields } = data;
      return { type: 'TaskCreated', data: { ...fields, createdAt: now } };
    }
    case 'CompleteTask':
      if (task?.ownerId !== data.ownerId) throw new NotFoundError({ id: data.taskId, type: 'task' });
      if (task.status === 'completed') throw new IllegalStateError('task is completed already');
      return { type: 'TaskCompleted', data: { taskId: data.taskId, completedAt: data.now } };
  }
};
