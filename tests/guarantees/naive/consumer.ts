/**
 * What is often written instead of a consumer whose position moves with its effect: two that move it before or after, in
 * a transaction of its own, and that read by the position alone. Beside ours, killed with it, they lose and double.
 *
 *   moves-first   the position, then the effect: what lies between them at a kill is lost
 *   acts-first    the effect, then the position: what lies between them at a kill is done again
 */
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';

const { DATABASE } = process.env;
const pool = new pg.Pool({ ...JSON.parse(DATABASE ?? '{}'), max: 2 });
await pool.query(`
  create schema if not exists naive;
  create table if not exists naive.position (habit text primary key, at bigint not null);
  create table if not exists naive.effect (habit text not null, event uuid not null);
  insert into naive.position values ('moves-first', 0), ('acts-first', 0) on conflict do nothing`);

const move = (habit: string, to: string) =>
  pool.query('update naive.position set at = $2 where habit = $1', [habit, to]);
const act = (habit: string, event: string) => pool.query('insert into naive.effect values ($1, $2)', [habit, event]);

const consume = async (habit: string): Promise<never> => {
  for (;;) {
    const { rows } = await pool.query<{ id: string; position: string }>(
      `select id, position from task_service.event
       where position > (select at from naive.position where habit = $1) order by position limit 20`,
      [habit],
    );
    for (const { id, position } of rows) {
      if (habit === 'moves-first') await move(habit, position);
      else await act(habit, id);
      await pause(5); // what it does
      if (habit === 'moves-first') await act(habit, id);
      else await move(habit, position);
    }
    if (rows.length === 0) await pause(5);
  }
};
await Promise.all([consume('moves-first'), consume('acts-first')]);
