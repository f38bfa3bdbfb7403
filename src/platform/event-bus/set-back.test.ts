import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { FEED_START } from '../event-store/event.ts';
import type { Database, Statement } from '../sql/database.ts';
import { DatabaseUnavailable } from '../sql/errors.ts';
import { createLogger } from '../telemetry/logger.ts';
import { guardAgainstSetBack, refuseSetBack } from './set-back.ts';

/** A store in a life of its that holds some events, and a broker that holds some; each may change. */
const world = () => {
  const now = { life: 'first', stored: new Set<string>(), held: [] as string[], seen: '', restoring: false };
  const asked: number[] = [];
  let looks = 0;
  const answer = ({ name }: Statement, values: readonly unknown[]): readonly unknown[] => {
    if (name === 'relay-seen-life') return [{ life: now.seen }];
    if (name === 'relay-seen') now.seen = String(values[0]);
    if (name === 'relay-restoring') return [{ restoring: now.restoring }];
    if (name === 'relay-lacking') {
      const ids = [values[0]].flat();
      asked.push(ids.length);
      return [{ count: ids.filter((id) => !now.stored.has(String(id))).length }];
    }
    return [{ life: now.life }];
  };
  const ask = async <Row>(statement: Statement, values: readonly unknown[]): Promise<readonly Row[]> =>
    JSON.parse(JSON.stringify(answer(statement, values)));
  const database: Database = {
    read: ask,
    write: ask,
    openSession: () => Promise.reject(new Error('nobody needs one')),
    close: async () => undefined,
  };
  const publisher = {
    newest: async () => {
      looks += 1;
      return now.held.map((id) => ({ id, at: FEED_START }));
    },
  };
  const process = {
    source: 'note',
    logger: createLogger('silent'),
    rest: async () => undefined,
    isStopping: () => false,
  };
  const guard = () => guardAgainstSetBack({ ...process, database, publisher });
  return { now, asked, looks: () => looks, guard, refuse: () => refuseSetBack(database, publisher, 'note') };
};

test('a store is written to in a life in which all was there, by whosever look, and in no other', async () => {
  const { now, looks, guard } = world();
  const [one, other] = [guard(), guard()];
  await one.begin();
  await one.admit('first');
  await other.admit('first');
  expect(looks(), 'the other believes the first').toBe(1);
  await other.looked();
  expect(looks(), 'and looks for itself before it publishes').toBe(2);
  await expect(one.admit('second'), 'which is not the one it looked at').rejects.toThrow(DatabaseUnavailable);
  now.life = 'second';
  await one.admit('second');
  expect(one.refusal()).toBeUndefined();
});

test('a store that was found set back stays refused, whatever is found or seen later, and is not looked at again', async () => {
  const { now, looks, guard } = world();
  now.held = [randomUUID()];
  const refusing = guard();
  await expect(refusing.begin()).rejects.toThrow('the store was set back');
  now.held = [];
  now.seen = now.life;
  await expect(refusing.admit('first')).rejects.toThrow(DatabaseUnavailable);
  await expect(refusing.looked()).rejects.toThrow('the store was set back');
  expect(refusing.refusal()).toMatchObject({ name: 'StoreSetBack' });
  expect(looks()).toBe(1);
});

test('a store that has all again, and not yet what is made of it, is refused too', async () => {
  const { now, guard } = world();
  now.restoring = true;
  const refusing = guard();
  await expect(refusing.begin()).rejects.toThrow(
    /has not ended\. .* run that again: taskwire events restore --from kafka --service note$/,
  );
  await expect(refusing.admit('first')).rejects.toThrow(DatabaseUnavailable);
  now.restoring = false;
  await guard().begin();
});

test('of all that the broker holds each event is looked up once, some thousand at a time', async () => {
  const { now, asked, refuse } = world();
  const ids = Array.from({ length: 12_000 }, () => randomUUID());
  now.stored = new Set(ids);
  now.held = [...ids, ...ids, 'no id of ours'];
  await refuse();
  expect(asked).toEqual([5_000, 5_000, 2_000]);
  now.stored.delete(ids[0] ?? '');
  now.stored.delete(ids[11_999] ?? '');
  await expect(refuse()).rejects.toThrow('(2 of the newest)');
});
