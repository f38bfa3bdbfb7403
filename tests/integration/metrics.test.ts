/** What a process counts of what was asked of it, and who may ask for that. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseConfig } from '../../src/platform/config/config.ts';
import { operatorsOf } from '../../src/platform/http/access.ts';
import { startTestApp, type TestApp } from '../support/app.ts';
import { succeeded } from '../support/succeeded.ts';
import { until } from '../support/until.ts';

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp();
});
afterAll(() => app.close());

const figures = async (): Promise<readonly string[]> => String((await app.ask('GET', '/metrics')).body).split('\n');
/** The value of a sample; 0 where it was never counted. */
const sampleOf = (lines: readonly string[], sample: string): number =>
  Number(lines.find((line) => line.startsWith(`${sample} `))?.slice(sample.length) ?? 0);

// The first of all: what comes of other requests would be counted with it.
test('commands are counted whoever gives them: a person, a policy, a timer, a job', async () => {
  const before = await figures();
  const ada = await app.person();
  // Mails to somebody who is not known yet are tried again, which is a command too.
  const welcomed = `select from notification_service.mail_list where recipient_id = $1 and status = 'sent'`;
  await until('her welcome to be sent', async () => (await app.database.sql(welcomed, [ada.id])).length > 0);
  const overdue = new Date(Date.now() - 60_000).toISOString();
  await ada.ask('POST', '/api/v1/tasks', { body: { title: 'Late', due: { at: overdue } } });
  const counted = async (expected: Readonly<Record<string, number>>) => {
    const lines = await figures();
    return Object.fromEntries(
      Object.keys(expected).map((command) => {
        const [service = '', name = ''] = command.split(' ');
        const sample = `taskwire_commands_total{service="${service}",command="${name}",outcome="done"}`;
        return [command, sampleOf(lines, sample) - sampleOf(before, sample)];
      }),
    );
  };
  const asked = { 'user RegisterUser': 1, 'user AuthenticateUser': 1, 'task CreateTask': 1, 'task PassTime': 1 };
  const cameOfIt = { 'notification RequestMail': 2, 'notification SettleMail': 2, 'notification DeliverToInbox': 1 };
  const expected = { ...asked, ...cameOfIt };
  await expect.poll(() => counted(expected), { timeout: 60_000 }).toEqual(expected);
  expect((await ada.ask('POST', '/api/v1/inbox/read-all')).status).toBe(200);
  const marked = { 'notification UpdateInboxEntry': 1 };
  await expect.poll(() => counted(marked), { timeout: 60_000 }).toEqual(marked);
});

test('requests are counted by route pattern, commands by what became of them, events by type', async () => {
  const ada = await app.person();
  const before = await figures();
  const { body } = await ada.ask('POST', '/api/v1/tasks', { body: { title: 'Counted' } });
  await ada.ask('POST', `/api/v1/tasks/${body.id}/complete`);
  await ada.ask('POST', `/api/v1/tasks/${body.id}/complete`);
  await ada.ask('POST', `/api/v1/tasks/${randomUUID()}/complete`);
  await ada.ask('GET', `/nowhere/${body.id}`);
  const complete = '/api/v1/tasks/:id/complete';
  const command = 'service="task",command="CompleteTask"';
  const expected = {
    'taskwire_http_requests_total{method="POST",route="/api/v1/tasks",status="2xx"}': 1,
    [`taskwire_http_requests_total{method="POST",route="${complete}",status="2xx"}`]: 1,
    [`taskwire_http_requests_total{method="POST",route="${complete}",status="4xx"}`]: 2,
    [`taskwire_http_request_seconds_count{method="POST",route="${complete}"}`]: 3,
    'taskwire_http_requests_total{method="GET",route="none",status="4xx"}': 1,
    'taskwire_http_problems_total{code="task-not-found"}': 1,
    [`taskwire_commands_total{${command},outcome="done"}`]: 1,
    [`taskwire_commands_total{${command},outcome="rejected"}`]: 2,
    [`taskwire_rejections_total{${command},code="task-not-found"}`]: 1,
    'taskwire_events_total{service="task",type="task.completed"}': 1,
  };
  const counted = async () => {
    const lines = await figures();
    return Object.fromEntries(
      Object.keys(expected).map((sample) => [sample, sampleOf(lines, sample) - sampleOf(before, sample)]),
    );
  };
  await expect.poll(counted, { timeout: 60_000 }).toEqual(expected);
});

test('what takes several commits is one command, and nobody refused it', async () => {
  const ada = await app.person();
  const { body: category } = await succeeded(ada.ask('POST', '/api/v1/categories', { body: { name: 'Large' } }));
  const inside = Array.from({ length: 101 }, (_, n) => ({ title: `task ${n}`, categoryId: category.id }));
  await Promise.all(inside.map((body) => succeeded(ada.ask('POST', '/api/v1/tasks', { body }))));
  const before = await figures();
  expect((await ada.ask('DELETE', `/api/v1/categories/${category.id}?tasks=trash`)).status).toBe(204);
  // Every sample of the two that has grown, so that another outcome would be seen too.
  const grown = async () => {
    const ofThese = (await figures()).filter((line) => /command="(Delete|Leave)Category"/.test(line));
    const samples = ofThese.map((line) => line.slice(0, line.lastIndexOf(' ')));
    const growth = samples.map((sample) => [sample, sampleOf(ofThese, sample) - sampleOf(before, sample)] as const);
    return Object.fromEntries(growth.filter(([, count]) => count > 0));
  };
  await expect.poll(grown, { timeout: 60_000 }).toEqual({
    'taskwire_commands_total{service="task",command="DeleteCategory",outcome="done"}': 1,
    'taskwire_commands_total{service="task",command="LeaveCategory",outcome="done"}': 101,
  });
});

test('where things stand is looked up: consumers, feed, work, pools, the process', async () => {
  const lines = await until('all to be looked up', async () => {
    const found = await figures();
    // On a machine that is busy a look may come too late, and is made again.
    const late = found.some((line) => /^taskwire_collector_up\{.* 0$/.test(line));
    return !late && found.some((line) => line.startsWith('taskwire_consumer_lag_seconds{')) ? found : undefined;
  });
  const names = lines.map((line) => line.split(/[{ ]/, 1)[0]);
  const wanted = [
    'consumer_lag_events',
    'consumer_parked_keys',
    'consumer_parked_seconds',
    'feed_position',
    'work_due',
    'oldest_write_transaction_seconds',
    'pool_connections',
    'pool_waiting',
    'work_late_seconds',
  ].map((name) => `taskwire_${name}`);
  expect(names).toEqual(
    expect.arrayContaining([...wanted, 'process_cpu_seconds_total', 'nodejs_eventloop_lag_seconds']),
  );
  expect(sampleOf(lines, 'taskwire_feed_position{service="user"}')).toBeGreaterThan(0);
});

test('no label carries an id, an address or what somebody typed', async () => {
  const ada = await app.person('labelled');
  await ada.ask('GET', `/api/v1/tasks/${randomUUID()}?q=labelled`);
  await ada.ask('GET', '/labelled/by/hand');
  const samples = (await figures()).filter((line) => !line.startsWith('#'));
  expect(samples.length).toBeGreaterThan(100);
  expect(samples.filter((line) => /[0-9a-f]{8}-[0-9a-f]{4}-|@|labelled|\?/.test(line))).toEqual([]);
});

describe('who may ask', () => {
  const SECRETS = { JWT_PRIVATE_KEYS: '', PUBLIC_URL: 'https://example.org' };
  test.each([
    ['everybody', {}],
    ['nobody', { NODE_ENV: 'production', ...SECRETS }],
    [{ token: 'sixteen-signs-..' }, { NODE_ENV: 'production', ...SECRETS, METRICS_TOKEN: 'sixteen-signs-..' }],
  ])('%j, by the settings', (expected, settings) => {
    expect(operatorsOf(parseConfig(settings, 'gateway'))).toEqual(expected);
  });
});
