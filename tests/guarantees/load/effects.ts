/**
 * What must follow from what is stored, and whether it did: asked of the stores, behind the product's back. Each cause
 * leads to notifications on certain ways, once each, and those of one key in the order of their causes.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Sql } from '../../support/sql.ts';
import { type Bounds, type Figures, NONE } from '../kit/scenario.ts';

/** On which ways somebody is told of what. */
const WAYS: Readonly<Record<string, readonly string[]>> = {
  'user.created': ['email'],
  'task.completed': ['in_app'],
  'task.reminder_due': ['email', 'in_app'],
  'task.overdue': ['email', 'in_app'],
};

type Cause = { readonly id: string; readonly key: string; readonly type: string };
/** `at` is when it came about: those of one commit came about together, told apart by what they say themselves. */
type Effect = { readonly cause: string; readonly channel: string; readonly at: string };

const CAUSES = `
  select id, key, type from (
    select era, tx, position, id, key, type, 1 as source from user_service.event
    union all select era, tx, position, id, key, type, 2 from task_service.event) e
  where type = any ($1) order by source, era, tx, position`;
const EFFECTS = `
  select metadata ->> 'causationId' as cause, data ->> 'channel' as channel,
    concat_ws(' ', lpad(era::text, 9, '0'), lpad(tx::text, 20, '0'), metadata ->> 'occurredAt') as at
  from notification_service.event where type = 'notification.requested'`;
const UNSENT = `
  select count(*)::integer as count from notification_service.event asked
  where type = 'notification.requested' and data ->> 'channel' = 'email' and not exists (
    select from notification_service.event e where e.stream = asked.stream
      and e.type in ('notification.sent', 'notification.failed', 'notification.suppressed'))`;
const TWICE_SENT = `
  select count(*)::integer as count from (select from notification_service.event
    where type in ('notification.sent', 'notification.failed') group by stream having count(*) > 1) twice`;
const PARKED = 'select count(*)::integer as count from notification_service.parked_key';
const UNRUNG = 'select count(*)::integer as count from task_service.schedule where due_at < now()';
/** Every event that tells of a time that came: one for each task and instant. */
const TOLD_TWICE = `
  select count(*)::integer as count from (select from task_service.event
    where type in ('task.reminder_due', 'task.overdue')
    group by stream, type, data ->> 'dueAt' having count(*) > 1) twice`;

export const EFFECTS_KEPT: Bounds = {
  'effects lost': NONE,
  'effects doubled': NONE,
  'effects of nothing': NONE,
  'effects out of order': NONE,
  'timers stuck': NONE,
  'mails stuck': NONE,
  'mails settled twice': NONE,
  'keys parked': NONE,
  'timers fired twice': NONE,
};

const effectsOf = async (sql: Sql): Promise<Figures> => {
  const count = async (text: string) => (await sql<{ count: number }>(text))[0]?.count ?? Number.NaN;
  const [unsent, unrung, twice, parked, firedTwice] = await Promise.all(
    [UNSENT, UNRUNG, TWICE_SENT, PARKED, TOLD_TWICE].map(count),
  );
  // The effects first: a cause that is stored in between has none yet, and is waited for.
  const effects = await sql<Effect>(EFFECTS);
  const causes = await sql<Cause>(CAUSES, [Object.keys(WAYS)]);
  return {
    ...compareEffects(causes, effects),
    'timers stuck': unrung ?? Number.NaN,
    'mails stuck': unsent ?? Number.NaN,
    'mails settled twice': twice ?? Number.NaN,
    'keys parked': parked ?? Number.NaN,
    'timers fired twice': firedTwice ?? Number.NaN,
  };
};

const compareEffects = (causes: readonly Cause[], effects: readonly Effect[]): Figures => {
  const known = new Map(causes.map((cause, n) => [cause.id, { ...cause, n }]));
  const done = new Map<string, number>();
  const newest = new Map<string, string>();
  const placeOf = ({ cause }: Effect) => known.get(cause)?.n ?? -1;
  let outOfOrder = 0;
  for (const { cause, channel, at } of effects.toSorted((a, b) => placeOf(a) - placeOf(b))) {
    const key = known.get(cause)?.key ?? '';
    done.set(`${cause} ${channel}`, (done.get(`${cause} ${channel}`) ?? 0) + 1);
    if (at < (newest.get(key) ?? '')) outOfOrder += 1;
    else newest.set(key, at);
  }
  const wanted = causes.flatMap(({ id, type }) => (WAYS[type] ?? []).map((channel) => `${id} ${channel}`));
  return {
    'effects wanted': wanted.length,
    'effects lost': wanted.filter((one) => !done.has(one)).length,
    'effects doubled': done.values().reduce((sum, times) => sum + times - 1, 0),
    'effects of nothing': new Set(done.keys()).difference(new Set(wanted)).size,
    'effects out of order': outOfOrder,
  };
};

const UNFOLLOWED = `
  select count(*)::integer as count from (
    select id, type, recorded_at from user_service.event union all select id, type, recorded_at from task_service.event) e
  where type = any ($1) and recorded_at < $2 and not exists (
    select from notification_service.event n where n.metadata ->> 'causationId' = e.id::text)`;
/** Waits, under load, until all that was stored by now has led to something. Answers ms; after `bound` of them, as many. */
export const madeUpFor = async (sql: Sql, bound: number): Promise<number> => {
  const began = performance.now();
  const [moment] = await sql<{ at: string }>('select clock_timestamp()::text as at');
  for (;;) {
    const [left] = await sql<{ count: number }>(UNFOLLOWED, [Object.keys(WAYS), moment?.at]);
    const ms = Math.round(performance.now() - began);
    if (left?.count === 0 || ms > bound) return ms;
    await pause(200);
  }
};

/** Waits until all that must follow did; after `bound` ms answers what is missing. */
export const drained = async (sql: Sql, bound: number): Promise<Figures> => {
  const began = performance.now();
  for (;;) {
    const figures = await effectsOf(sql);
    const isDone = ['effects lost', 'mails stuck', 'timers stuck'].every((one) => figures[one] === 0);
    const ms = Math.round(performance.now() - began);
    if (isDone || ms > bound) return { ...figures, 'ms until all had followed': ms };
    await pause(100);
  }
};
