/**
 * Rows in a table of its own, not Pongo documents: in 0.42 Pongo's projection runs its migrations
 * within every append, and the peer shall be as fast as Emmett allows.
 */
import { postgreSQLRawSQLProjection } from '@event-driven-io/emmett-postgresql';
import { rawSql, sql } from '@event-driven-io/dumbo';
import type pg from 'pg';
import type { Task, TaskEvent } from './task.ts';

export const tasksProjection = postgreSQLRawSQLProjection<TaskEvent>({
  name: 'tasks',
  canHandle: ['TaskCreated', 'TaskCompleted'],
  evolve: ({ type, data }) => {
    switch (type) {
      case 'TaskCreated':
        return sql(
          `insert into tasks (id, owner_id, title, description, status, priority, due, created_at)
           values (%L, %L, %L, %L, 'open', %L, %L, %L)`,
          data.taskId,
          data.ownerId,
          data.title,
          data.description,
          data.priority,
          data.due,
          data.createdAt,
        );
      case 'TaskCompleted':
        return sql(`update tasks set status = 'completed', completed_at = %L where id = %L`, data.completedAt, data.taskId);
    }
  },
  init: () => [
    rawSql(`create table if not exists tasks (
      id uuid primary key,
      owner_id uuid not null,
      title varchar(200) not null,
      description text not null,
      status varchar(10) not null,
      priority varchar(10) not null,
      due timestamptz,
      created_at timestamptz not null,
      completed_at timestamptz
    )`),
    rawSql('create index if not exists tasks_newest on tasks (owner_id, created_at desc)'),
  ],
});

const columns = `id, title, description, status, priority, due, created_at as "createdAt", completed_at as "completedAt"`;

export const readTask = async (pool: pg.Pool, ownerId: string, id: string): Promise<Task | undefined> => {
  const text = `select ${columns} from tasks where id = $1 and owner_id = $2`;
  const { rows } = await pool.query<Task>({ name: 'read-task', text, values: [id, ownerId] });
  return rows[0];
};

export const listTasks = async (pool: pg.Pool, ownerId: string, limit: number): Promise<Task[]> => {
  const text = `select ${columns} from tasks where owner_id = $1 order by created_at desc limit $2`;
  const { rows } = await pool.query<Task>({ name: 'list-tasks', text, values: [ownerId, limit] });
  return rows;
};
