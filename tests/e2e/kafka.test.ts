/** The product on a real broker: what it says is there, and what is lost here comes back from there. */
import { cp, rm } from 'node:fs/promises';
import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Cluster } from '../../scripts/kafka/cluster.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/platform/embedded/postgres.ts';
import { kafka, startKafka } from '../support/kafka.ts';
import { until } from '../support/until.ts';
import { productBedPerTest, type Server } from './support/product.ts';

const PASSWORD = 'correct horse battery staple';

type Part = {
  readonly detail?: string;
  readonly backlog?: { readonly events: number };
  readonly consumers?: readonly { readonly lag: { readonly events: number } }[];
};

kafka.describe('on Apache Kafka', () => {
  const bed = productBedPerTest();
  let cluster: Cluster;
  let stopKeys = async (): Promise<unknown> => undefined;
  afterEach(() => stopKeys());
  let postgres: EmbeddedPostgres | undefined;
  afterEach(async () => {
    await bed.end();
    await postgres?.stop();
  });
  // For each test, as a store that has less than the broker is not written to.
  beforeEach(async () => {
    cluster = await startKafka();
  });
  afterEach(() => cluster?.stop());

  const call = async (
    server: Server,
    path: string,
    options: { body?: object; token?: string; method?: string } = {},
  ) => {
    const { body, token, method = body ? 'POST' : 'GET' } = options;
    const response = await fetch(`${server.url}${path}`, {
      method,
      headers: {
        ...(body && { 'content-type': 'application/json' }),
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
    return text.startsWith('{') || text.startsWith('[') ? JSON.parse(text) : text;
  };
  const signUp = async (server: Server, name: string): Promise<string> => {
    const body = { email: `${name}@example.org`, username: name, password: PASSWORD };
    await call(server, '/api/v1/auth/register', { body });
    return logIn(server, name);
  };
  const logIn = async (server: Server, name: string): Promise<string> => {
    const body = { email: `${name}@example.org`, password: PASSWORD };
    return (await call(server, '/api/v1/auth/login', { body })).accessToken;
  };
  const mailsOf = async (server: Server, name: string): Promise<number> =>
    (await call(server, '/dev/mailbox')).split(`${name}@example.org</td>`).length - 1;
  const titles = async (server: Server, token: string): Promise<readonly string[]> =>
    (await call(server, '/api/v1/tasks', { token })).items.map(({ title }: { title: string }) => title).toSorted();
  const published = (server: Server) =>
    until('all to be published and heard', async () => {
      const { parts } = await call(server, '/health/events');
      // A part that does not answer in time says so in its detail, and has no figures.
      return Object.values<Part>(parts).every(
        ({ detail, backlog, consumers = [] }) =>
          detail === undefined && (backlog?.events ?? 0) === 0 && consumers.every(({ lag }) => lag.events === 0),
      );
    });

  test('a store that was set back is not written to, comes back from the broker, and both hold the same', async () => {
    const data = await bed.folder();
    // The keys of personal data are backed up apart, and are not set back with the store.
    const keys = await startEmbeddedPostgres({ dataDir: await bed.folder('keys'), report: () => undefined });
    stopKeys = keys.stop;
    const { host, port, user, password } = keys.connection;
    const env = {
      KEYS_DB_HOST: host,
      KEYS_DB_PORT: String(port),
      KEYS_DB_USER: user,
      KEYS_DB_PASSWORD: String(password),
      DATA_DIR: data,
      KAFKA_BOOTSTRAP_SERVERS: cluster.bootstrap,
      KAFKA_TOPIC_PARTITIONS: '4',
    };
    const run = async (...args: readonly string[]) => {
      const command = bed.taskwire(args, { env });
      const { code } = await command.exit;
      return { code, said: command.output() };
    };
    const stop = async (server: Server) => {
      server.signal('SIGTERM');
      expect((await server.exit).code).toBe(0);
    };

    const first = await bed.start({ env });
    const ada = await signUp(first, 'ada');
    await call(first, '/api/v1/tasks', { token: ada, body: { title: 'before' } });
    await published(first);
    await until('the welcome mail', async () => (await mailsOf(first, 'ada')) === 1);
    await stop(first);
    await cp(data, `${data}-backup`, { recursive: true });

    const second = await bed.start({ env });
    const adaAgain = await logIn(second, 'ada');
    await call(second, '/api/v1/tasks', { token: adaAgain, body: { title: 'after the backup' } });
    await signUp(second, 'bob');
    await until('the second mail', async () => (await mailsOf(second, 'bob')) === 1);
    await published(second);
    await stop(second);

    const same = await run('events', 'verify', '--from', 'kafka');
    expect(same.said).toContain('the same');
    expect(same.code).toBe(0);

    await rm(data, { recursive: true });
    await cp(`${data}-backup`, data, { recursive: true });
    const differ = await run('events', 'verify', '--from', 'kafka');
    expect(differ.code, differ.said).toBe(1);
    expect(differ.said).toMatch(/the broker holds something else than the store of user, task, notification/);
    const spared = await run('events', 'republish', '--to', 'kafka', '--service', 'task');
    expect(spared.code, 'the broker alone has these events').toBe(1);
    expect(spared.said).toContain('the store was set back');
    const refused = await run('start');
    expect(refused.code).toBe(1);
    const cure = /taskwire (events restore --from kafka --service \w+)/.exec(refused.said)?.[1];
    expect(cure).toBeDefined();

    for (const service of ['user', 'task', 'notification']) {
      const restored = await run('events', 'restore', '--from', 'kafka', '--service', service);
      expect(restored, restored.said).toMatchObject({ code: 0 });
      expect(restored.said).toMatch(/[1-9]\d* events? of \d+ streams? came back/);
    }
    const again = await run('events', 'restore', '--from', 'kafka', '--service', 'task');
    expect(again.said).toMatch(/0 events of 0 streams came back/);

    const third = await bed.start({ env });
    const adaThen = await logIn(third, 'ada');
    expect(await titles(third, adaThen)).toEqual(['after the backup', 'before']);
    await call(third, '/api/v1/tasks', { token: adaThen, body: { title: 'from now on' } });
    await published(third);
    expect(await titles(third, adaThen)).toEqual(['after the backup', 'before', 'from now on']);
    const taken = { email: 'bob@example.org', username: 'bob', password: PASSWORD };
    await expect(call(third, '/api/v1/auth/register', { body: taken })).rejects.toThrow('409');
    expect(await mailsOf(third, 'bob'), 'he had his mail').toBeLessThanOrEqual(1);
    const whileItRuns = await run('events', 'republish', '--to', 'kafka', '--service', 'task');
    expect(whileItRuns.said).toContain('the task service runs: stop it first');
    await stop(third);
    const atLast = await run('events', 'verify', '--from', 'kafka', '--json');
    expect(atLast, atLast.said).toMatchObject({ code: 0 });

    // The other way round: the broker loses what the tasks said.
    const emptied = await run('events', 'republish', '--to', 'kafka', '--service', 'task');
    expect(emptied, emptied.said).toMatchObject({ code: 0 });
    const fourth = await bed.start({ env });
    await call(fourth, '/api/v1/tasks', { token: adaThen, body: { title: 'at last' } });
    await published(fourth);
    for (const node of cluster.nodes) node.freeze();
    await call(fourth, '/api/v1/tasks', { token: adaThen, body: { title: 'unheard' } });
    await stop(fourth); // in order, though the broker hangs
    for (const node of cluster.nodes) node.resume();
    const whole = await run('events', 'verify', '--from', 'kafka', '--json', '--service', 'task');
    expect(whole, whole.said).toMatchObject({ code: 0 });
    expect(whole.said, 'the last one may have got there').toMatch(/"unpublished": [01],/);
  });

  test('a store that was lost wholly comes back from the broker alone: people find what was theirs, and nobody is told again', async () => {
    const data = await bed.folder();
    // On a server of their own, which goes with its disk: the next one numbers its transactions from the beginning.
    const disk = await bed.folder('tasks');
    const openDisk = () => startEmbeddedPostgres({ dataDir: disk, report: () => undefined });
    postgres = await openDisk();
    const env = () => ({
      DATA_DIR: data,
      TASK_DB_HOST: String(postgres?.connection.host),
      TASK_DB_PORT: String(postgres?.connection.port),
      TASK_DB_USER: String(postgres?.connection.user),
      TASK_DB_PASSWORD: String(postgres?.connection.password),
      KAFKA_BOOTSTRAP_SERVERS: cluster.bootstrap,
      KAFKA_TOPIC_PARTITIONS: '4',
    });
    const run = async (...args: readonly string[]) => {
      const command = bed.taskwire(args, { env: env() });
      const { code } = await command.exit;
      return { code, said: command.output() };
    };
    const stop = async (server: Server) => {
      server.signal('SIGTERM');
      expect((await server.exit).code).toBe(0);
    };

    const asOwner = async (query: string) => {
      const owner = new pg.Client({ ...postgres?.connection, database: 'taskwire' });
      await owner.connect();
      return owner
        .query(query)
        .then(({ rows }) => rows)
        .finally(() => owner.end());
    };
    const loseTasks = async () => {
      await postgres?.stop();
      await rm(disk, { recursive: true });
      postgres = await openDisk();
      expect(await run('migrate')).toMatchObject({ code: 0 });
    };
    const DUE = 'select * from task_service.schedule order by id';

    const first = await bed.start({ env: env() });
    const dora = await signUp(first, 'dora');
    const write = (server: Server, method: string, path: string, body: object = {}) =>
      call(server, `/api/v1/${path}`, { token: dora, method, body });
    const { id: categoryId } = await write(first, 'POST', 'categories', { name: 'Home' });
    const [tea, cake, soup] = await Promise.all(
      ['Drink tea', 'Bake a cake', 'Cook soup'].map((title) =>
        write(first, 'POST', 'tasks', { title, categoryId, due: { at: '2040-01-01T00:00:00Z' } }),
      ),
    );
    await write(first, 'POST', `tasks/${tea.id}/complete`);
    await write(first, 'PATCH', `tasks/${cake.id}`, { title: 'Bake two cakes', priority: 'high' });
    await call(first, `/api/v1/tasks/${soup.id}`, { token: dora, method: 'DELETE' });
    /** All that the person sees of their own, and how often somebody was told of it. */
    const seen = async (server: Server) => ({
      tasks: await call(server, '/api/v1/tasks?count=true&sort=createdAt', { token: dora }),
      trash: await call(server, '/api/v1/tasks/trash', { token: dora }),
      history: await call(server, `/api/v1/tasks/${cake.id}/history`, { token: dora }),
      categories: await call(server, '/api/v1/categories', { token: dora }),
      inbox: await call(server, '/api/v1/inbox', { token: dora }),
      mails: await mailsOf(server, 'dora'),
    });
    // What follows from what was heard is an event too, and may come behind a look that found nothing left to hear.
    const told = (server: Server, times: number) =>
      until('the inbox', async () => (await call(server, '/api/v1/inbox', { token: dora })).items.length === times);
    await until('the welcome mail', async () => (await mailsOf(first, 'dora')) === 1);
    await told(first, 1);
    await published(first);
    const before = await seen(first);
    expect(before.tasks.totalCount).toBe(2);
    await stop(first);

    const due = await asOwner(DUE);
    expect(due).toHaveLength(1);
    await loseTasks();
    const restored = await run('events', 'restore', '--from', 'kafka', '--service', 'task');
    expect(restored, restored.said).toMatchObject({ code: 0 });
    expect(restored.said).toMatch(/task: 7 events of 4 streams came back; the broker holds 7 events/);
    const verified = await run('events', 'verify', '--from', 'kafka', '--json');
    expect(verified, verified.said).toMatchObject({ code: 0 });
    expect(verified.said).toContain('"unpublished": 0');
    for (const name of ['task_list', 'category_list'])
      expect(await run('projections', 'verify', name)).toMatchObject({ code: 0 });

    expect(await asOwner(DUE)).toEqual(due);
    const second = await bed.start({ env: env() });
    expect(await seen(second)).toEqual(before);
    await write(second, 'POST', `tasks/${cake.id}/complete`);
    await write(second, 'POST', 'tasks', { title: 'from now on' });
    await told(second, 2);
    await published(second);
    await stop(second);
    const atLast = await run('events', 'verify', '--from', 'kafka');
    expect(atLast, atLast.said).toMatchObject({ code: 0 });
    await loseTasks();
    const refused = await run('start');
    expect(refused.code, 'a store that lacks it all is not written to').toBe(1);
    expect(refused.said).toContain('taskwire events restore --from kafka --service task');
  });

  test('a store that is set back under a running service is not written to from then on', async () => {
    const folder = await bed.folder('store');
    const startPostgres = async () => {
      postgres = await startEmbeddedPostgres({ dataDir: folder, report: () => undefined });
      return postgres;
    };
    const { connection } = await startPostgres();
    const server = await bed.start({
      env: {
        DATA_DIR: await bed.folder(),
        DB_HOST: connection.host,
        DB_PORT: String(connection.port),
        DB_USER: connection.user,
        DB_PASSWORD: connection.password,
        KAFKA_BOOTSTRAP_SERVERS: cluster.bootstrap,
        KAFKA_TOPIC_PARTITIONS: '4',
      },
    });
    const cara = await signUp(server, 'cara');
    const create = (title: string) => call(server, '/api/v1/tasks', { token: cara, body: { title } });
    await create('before');
    await published(server);
    await postgres?.stop();
    await cp(folder, `${folder}-snapshot`, { recursive: true });

    await startPostgres();
    await until('the server to be found again, and the broker to have been asked', () =>
      create('after the snapshot').then(
        () => true,
        () => false,
      ),
    );
    await published(server);
    await postgres?.stop();
    await rm(folder, { recursive: true });
    await cp(`${folder}-snapshot`, folder, { recursive: true });

    await startPostgres();
    await until('reads to be answered again', () =>
      titles(server, cara).then(
        () => true,
        () => false,
      ),
    );
    expect(await titles(server, cara)).toEqual(['before']);
    for (let n = 0; n < 5; n += 1) await expect(create('never')).rejects.toThrow('503');
    await server.said(/the store was set back.*taskwire events restore --from kafka --service task/);
    for (let n = 0; n < 5; n += 1) await expect(create('never')).rejects.toThrow('503');
    expect(await titles(server, cara)).toEqual(['before']);
    const { parts } = await call(server, '/health/events');
    expect(parts['events.task.relay']).toMatchObject({
      status: 'degraded',
      detail: 'the broker holds events that the store lacks',
    });
    server.signal('SIGTERM');
    expect((await server.exit).code).toBe(0);
  });
});
