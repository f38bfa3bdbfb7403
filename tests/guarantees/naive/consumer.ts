/**
 * What is often written instead of a consumer whose position moves with its effect: it moves before or after, in a
 * transaction of its own, and reads by the position alone. Beside ours, killed with it, it loses and doubles.
 *
 *   moves-first   the position, then the effect: what lies between them at a kill is lost
 *   acts-first    the effect, then the position: what lies between them at a kill is done again
 *   insists       the same, and tries again what it cannot handle: whatever comes behind that waits for ever
 */
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';

const { DATABASE, HABITS = 'moves-first acts-first' } = process.env;
const pool = new pg.Pool({ ...JSON.parse(DATABASE ?? '{}'), max: 2 });
await pool.query(`
  create schema if not exists naive;
  create table if not exists naive.position (habit text primary key, at bigint not null);
  create table if not exists naive.effect (habit text not null, event uuid not null);
  insert into naive.position values ('moves-first', 0), ('acts-first', 0), ('insists', 0) on conflict do nothing`);

const move = (habit: string, to: string) =>
  pool.query('update naive.position set at = $2 where habit = $1', [habit, to]);
const act = (habit: string, event: string) => pool.query('insert into naive.effect values ($1, $2)', [habit, event]);

const consume = async (habit: string): Promise<never> => {
  for (;;) {
    const { rows } = await pool.query<{ id: string; position: string; data: object }>(
      `select id, position, data from task_service.event
       where position > (select at from naive.position where habit = $1) order by position limit 20`,
      [habit],
    );
    for (const { id, position, data } of rows) {
      if (habit === 'insists' && !canHandle(data)) break;
      if (habit === 'moves-first') await move(habit, position);
      else await act(habit, id);
      await pause(5); // what it does
      if (habit === 'moves-first') await act(habit, id);
      else await move(habit, position);
    }
    await pause(5);
  }
};
const canHandle = (data: object): boolean => {
  try {
    return Object.keys(data).length >= 0;
  } catch {
    return false;
  }
};
await Promise.all(HABITS.split(' ').map(consume));
