import { once } from 'node:events';
import net from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Cache, HOLDS } from '../../../src/platform/cache/cache.ts';
import { openRedisCache } from '../../../src/platform/cache/redis-cache.ts';
import type { RedisLink } from '../../../src/platform/cache/redis-link.ts';
import { createLogger } from '../../../src/platform/telemetry/logger.ts';
import { type RedisServer, redis, startRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';
import { cacheSuite, keep, look, newSlot, ticketFor } from './suite.ts';

const SECRET = 'a secret of thirty-two characters';
type Process = { readonly cache: Cache; readonly link: RedisLink };
/** ms, longer than the product waits: a busy machine shall not look like an absent Redis. */
const PATIENCE = 1_000;
const AT_ONCE = PATIENCE + 1_500;

redis.describe('a cache in Redis', (executable) => {
  let server: RedisServer;
  let here: Process;
  let there: Process;
  let shortLived: Process;
  const isUp = (process: Process) => until('the link', () => process.link.isUp());
  const openAt = (port: number, options = {}, secret = SECRET): Process =>
    openRedisCache({ host: '127.0.0.1', port }, secret, createLogger('silent'), { longest: PATIENCE, ...options });
  const open = (options = {}, secret = SECRET): Process => openAt(server.port, options, secret);
  /** For how long the slowest of so many calls took. */
  const slowest = async (calls: readonly (() => Promise<unknown>)[]): Promise<number> => {
    const began = performance.now();
    const took = await Promise.all(calls.map((call) => call().then(() => performance.now() - began)));
    return Math.max(...took);
  };

  beforeAll(async () => {
    server = await startRedis(executable);
    here = open();
    there = open();
    shortLived = open({ holds: 300, remembered: 600 });
    for (const process of [here, there, shortLived]) await isUp(process);
  });
  afterAll(async () => {
    for (const process of [here, there, shortLived]) await process.link.close();
    await server.stop();
  });
  const bed = { here: () => here.cache, there: () => there.cache, shortLived: () => shortLived.cache };

  // Holds tests: those that both adapters share are declared in there.
  describe('as any cache', () => cacheSuite(bed));

  test('what was read is answered from this process, until Redis says that it changed', async () => {
    const slot = newSlot();
    await keep(here.cache, slot, 1, 1);
    expect(await look(there.cache, slot)).toBe(1);
    const asked = async () => Number(/cmdstat_mget:calls=(\d+)/.exec(await server.ask('info', 'commandstats'))?.[1]);
    const before = await asked();
    for (let n = 0; n < 20; n += 1) expect(await look(there.cache, slot)).toBe(1);
    expect(await asked()).toBe(before);
    await here.cache.drop([slot.scope], 2);
    expect(await look(there.cache, slot)).toBeUndefined();
  });

  test('nothing personal lies there in clear, and nobody reads it without the secret', async () => {
    const slot = { scope: 'tasks of Ada Lovelace', name: 'words like surprise party' };
    await keep(here.cache, slot, ['Buy the ring'], 1);
    const keys = (await server.ask('keys', '*')).split('\n');
    const contents = await Promise.all(keys.map((key) => server.ask('get', key)));
    expect(contents.length).toBeGreaterThan(1);
    // Long words: three letters are in every few thousand of base64 by chance.
    expect([...keys, ...contents].join('\n')).not.toMatch(/Lovelace|surprise|Buy the/i);
    const other = open({}, 'another secret of 32 characters..');
    await isUp(other);
    expect(await look(other.cache, slot)).toBeUndefined();
    await other.link.close();
  });

  describe('while copies get another secret one by one', () => {
    const [OLD, NEW] = [SECRET, 'another secret of 32 characters..'];
    const withSecrets = async (...secrets: readonly string[]): Promise<Process> => {
      const process = open({}, secrets.join(','));
      await isUp(process);
      return process;
    };

    test.each([
      { step: 'put behind', before: [OLD], after: [OLD, NEW] },
      { step: 'put in front', before: [OLD, NEW], after: [NEW, OLD] },
    ])('it goes on being answered from when the new one is $step', async ({ before, after }) => {
      const [one, other] = [await withSecrets(...before), await withSecrets(...after)];
      for (const [writer, reader] of [
        [one, other],
        [other, one],
      ] as const) {
        const slot = newSlot();
        await keep(writer.cache, slot, 'kept', 1);
        expect(await look(reader.cache, slot)).toBe('kept');
      }
      for (const { link } of [one, other]) await link.close();
    });

    test.each([
      { step: 'the old one is taken out', kept: OLD, without: NEW },
      { step: 'the new one is put in front at once', kept: NEW, without: OLD },
    ])('when $step, what a copy cannot open is a miss, and its drops count for all', async ({ kept, without }) => {
      const [writer, knowing, other] = [
        await withSecrets(kept),
        await withSecrets(NEW, OLD),
        await withSecrets(without),
      ];
      const slot = newSlot();
      await keep(writer.cache, slot, 'old', 10);
      expect(await look(other.cache, slot)).toBeUndefined();
      expect(await look(knowing.cache, slot)).toBe('old');
      await other.cache.drop([slot.scope], 20);
      for (const { cache } of [writer, knowing, other]) expect(await look(cache, slot)).toBeUndefined();
      await keep(other.cache, slot, 'new', 21);
      expect(await look(knowing.cache, slot)).toBe('new');
      for (const { link } of [writer, knowing, other]) await link.close();
    });
  });

  test('everything that is written there goes by itself', async () => {
    const slot = newSlot();
    await keep(here.cache, slot, 1, 1);
    await here.cache.drop([slot.scope, newSlot().scope], 2);
    const keys = (await server.ask('keys', 'taskwire:cache:[mv]*')).split('\n');
    expect(keys.length).toBeGreaterThan(1);
    for (const key of keys) expect(Number(await server.ask('pttl', key)), key).not.toBe(-1); // -2: gone meanwhile
  });

  describe('garbage', () => {
    const TEXTS = ['', 'garbage', '{"value":1}', '|1|', '-1', 'NaN', '1e999', '0x10', '\u{1f4a5}', 'x'.repeat(100_000)];
    const fill = async (): Promise<void> => {
      const keys = (await server.ask('keys', 'taskwire:*')).split('\n');
      for (const [n, key] of keys.entries()) {
        const text = TEXTS[n % TEXTS.length] ?? '';
        await server.ask('del', key);
        if (n % 4 === 1) await server.ask('rpush', key, 'a', 'list');
        else await server.ask('set', key, text);
      }
    };

    test('in any key is a miss, and heals', async () => {
      const slots = Array.from({ length: 24 }, () => newSlot());
      for (const slot of slots) {
        await keep(here.cache, slot, 1, 10);
        await here.cache.drop([slot.scope], 5);
      }
      await fill();
      for (const slot of slots) {
        expect(await look(here.cache, slot)).toBeUndefined();
        expect(await look(there.cache, slot)).toBeUndefined();
      }
      for (const slot of slots) await here.cache.drop([slot.scope], 20);
      for (const slot of slots) {
        await until('a ticket', async () => 'miss' in (await here.cache.get(slot)));
        await keep(here.cache, slot, 2, 21);
        expect(await look(there.cache, slot)).toBe(2);
      }
      expect([here.link.isUp(), there.link.isUp()]).toEqual([true, true]);
    });

    test('in place of a mark lets nothing in that the mark kept out', async () => {
      const slot = newSlot();
      const ticket = await ticketFor(here.cache, slot);
      const before = new Set((await server.ask('keys', 'taskwire:cache:mark:*')).split('\n'));
      await here.cache.drop([slot.scope], 30);
      const [mark = ''] = (await server.ask('keys', 'taskwire:cache:mark:*'))
        .split('\n')
        .filter((key) => !before.has(key));
      await server.ask('set', mark, 'garbage');
      await here.cache.set(slot, ticket, 'old', 20);
      expect(await look(here.cache, slot)).toBeUndefined();
      expect(Number(await server.ask('pttl', mark)), 'not for ever').toBeGreaterThan(0);
    });

    test('an answer that was moved to another key is none', async () => {
      const slot = newSlot();
      await server.flush();
      await until('an epoch', async () => formatsAsTicket(await here.cache.get(slot)));
      await keep(here.cache, slot, 'mine', 10);
      const key = (await server.ask('keys', 'taskwire:cache:value:*')).trim();
      const stolen = await server.ask('get', key);
      await server.ask('del', key);
      const other = newSlot();
      await keep(here.cache, other, 'other', 10);
      await server.ask('set', (await server.ask('keys', 'taskwire:cache:value:*')).trim(), stolen);
      expect(await look(there.cache, other)).toBeUndefined();
    });
  });

  test('flushed: everything is a miss, at once and everywhere, and is kept again', async () => {
    const slot = newSlot();
    await keep(here.cache, slot, 1, 10);
    expect(await look(there.cache, slot)).toBe(1);
    const ticket = await ticketFor(here.cache, newSlot());
    await here.cache.drop([slot.scope], 20);
    await server.flush();
    await here.cache.set(slot, ticket, 'from before the drop that the flush took away', 15);
    expect(await look(here.cache, slot)).toBeUndefined();
    expect(await look(there.cache, slot)).toBeUndefined();
    await until('a ticket', async () => formatsAsTicket(await here.cache.get(slot)));
    await keep(here.cache, slot, 2, 30);
    expect(await look(there.cache, slot)).toBe(2);
  });

  describe('away', () => {
    let slot = newSlot();
    beforeEach(async () => {
      for (const process of [here, there]) await isUp(process);
      slot = newSlot();
      await keep(here.cache, slot, 'old', 10);
      expect(await look(there.cache, slot)).toBe('old');
    });
    afterEach(async () => {
      server.resume();
      for (const process of [here, there, shortLived]) await isUp(process);
    });

    test('killed: nobody waits, and nothing of before is answered when it is back', async () => {
      await server.kill();
      const calls = Array.from({ length: 50 }, () => [
        () => here.cache.get(slot),
        () => here.cache.set(slot, { epoch: '', until: Date.now() + 1_000 }, 1, 1),
        () => here.cache.drop([slot.scope], 20),
      ]).flat();
      expect(await slowest(calls)).toBeLessThan(AT_ONCE);
      await until('its absence', () => !here.link.isUp());
      expect(await look(here.cache, slot)).toBeUndefined();
      await server.start();
      for (const process of [here, there]) await isUp(process);
      expect(await look(there.cache, slot)).toBeUndefined();
      await keep(here.cache, slot, 'new', 21);
      expect(await look(there.cache, slot)).toBe('new');
    });

    test('hung: the first wait a moment, others not at all; a drop that failed leaves nothing behind', async () => {
      server.freeze();
      expect(await slowest(Array.from({ length: 50 }, () => () => here.cache.get(newSlot())))).toBeLessThan(AT_ONCE);
      expect(here.link.isUp()).toBe(false);
      await here.cache.drop([slot.scope], 20);
      // Who has it near sees by its heartbeat that Redis is silent, and forgets it.
      await until('that the other one notices', () => !there.link.isUp(), 8_000);
      expect(await look(there.cache, slot)).toBeUndefined();
      server.resume();
      for (const process of [here, there]) await isUp(process);
      for (const process of [here, there]) expect(await look(process.cache, slot)).toBeUndefined();
    });

    test('hung: what it carries out once it wakes, though it was sent long ago, is not kept', async () => {
      const ticket = await ticketFor(there.cache, newSlot());
      server.freeze();
      await there.cache.set(slot, ticket, 'older still', 11); // lies in the socket of the frozen server
      await here.cache.drop([slot.scope], 20);
      server.resume();
      for (const process of [here, there]) await isUp(process);
      for (const process of [here, there]) expect(await look(process.cache, slot)).toBeUndefined();
      expect(HOLDS, 'else the test says nothing').toBeGreaterThan(5_000);
    });

    test('for one process alone: what it could not drop is nowhere once it is back', async () => {
      const wire = await openWire(server.port);
      const cutOff = openAt(wire.port);
      await isUp(cutOff);
      expect(await look(cutOff.cache, slot)).toBeUndefined(); // whoever comes begins an epoch
      await keep(cutOff.cache, slot, 'old', 12);
      expect(await look(there.cache, slot)).toBe('old');
      wire.cut();
      await cutOff.cache.drop([slot.scope], 20);
      expect(await look(cutOff.cache, slot)).toBeUndefined();
      expect(there.link.isUp()).toBe(true);
      wire.mend();
      await isUp(cutOff);
      for (const process of [cutOff, there]) expect(await look(process.cache, slot)).toBeUndefined();
      await cutOff.link.close();
      await wire.close();
    });
  });

  test('a process that starts while Redis is absent has no cache, and one once Redis is there', async () => {
    const address = { host: '127.0.0.1', port: 1 };
    const alone = openRedisCache(address, SECRET, createLogger('silent'));
    expect(await alone.cache.get(newSlot())).toEqual({ miss: undefined });
    await alone.cache.drop(['x'], 1);
    await alone.link.close();
  });

  test('with a password', async () => {
    const guarded = await startRedis(executable, { password: 'of its own' });
    const address = { host: '127.0.0.1', port: guarded.port };
    const process = openRedisCache({ ...address, password: 'of its own' }, SECRET, createLogger('silent'));
    await isUp(process);
    await keep(process.cache, newSlot(), 1, 1);
    await process.link.close();
    await guarded.stop();
  });
});

const formatsAsTicket = (found: Awaited<ReturnType<Cache['get']>>) => 'miss' in found && found.miss !== undefined;

/** A wire to Redis that a test cuts: what goes over it breaks, and whoever comes is sent away until it is mended. */
const openWire = async (to: number) => {
  let whole = true;
  const sockets = new Set<net.Socket>();
  const listener = net.createServer((client) => {
    if (!whole) {
      client.destroy();
      return;
    }
    const upstream = net.connect(to, '127.0.0.1');
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(one);
      one.on('error', () => undefined);
      one.on('close', () => {
        sockets.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const cut = () => {
    whole = false;
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (listener.address() as net.AddressInfo).port,
    cut,
    mend: () => {
      whole = true;
    },
    close: async () => {
      cut();
      listener.close();
      await once(listener, 'close');
    },
  };
};
