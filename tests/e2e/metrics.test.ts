/** What dashboards and alerts ask for is what the running processes tell; and what they tell of a broker, Redis, a trace. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { declaredLabels } from '../../src/platform/telemetry/metrics.ts';
import { openInstallation } from '../support/installation.ts';
import { kafka, startKafka } from '../support/kafka.ts';
import { openReceiver, otlpReceiver, type ReceivedSpan } from '../support/otlp.ts';
import { readQuery } from '../support/promql.ts';
import { redis, startRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';
import { asking, newPerson } from './support/client.ts';
import { productBed } from './support/product.ts';

const TOKEN = 'a-token-for-those-who-watch';
/** What Prometheus itself puts on every sample. */
const OF_PROMETHEUS = ['instance', 'job'];

type Written = { readonly where: string; readonly query: string; readonly labels: readonly string[] };
const named = (text: string, pattern: RegExp): readonly string[] =>
  [...text.matchAll(pattern)].map(([, label = '']) => label);

const rules = parse(readFileSync('deploy/prometheus/alerts.yaml', 'utf8')).groups.flatMap(
  (group: { rules: unknown[] }) => group.rules,
) as readonly { alert: string; expr: string; annotations: { summary: string } }[];
const alerts: readonly Written[] = rules.map(({ alert, expr, annotations }) => ({
  where: alert,
  query: expr,
  labels: named(annotations.summary, /\$labels\.(\w+)/g),
}));
type Panel = { readonly title: string; readonly targets?: readonly { expr: string; legendFormat: string }[] };
const panels: readonly Panel[] = JSON.parse(readFileSync('deploy/grafana/taskwire.json', 'utf8')).panels;
const graphs: readonly Written[] = panels.flatMap(({ title, targets = [] }) =>
  targets.map(({ expr, legendFormat }) => ({
    where: title,
    query: expr,
    labels: named(legendFormat, /\{\{(\w+)\}\}/g),
  })),
);

type Told = ReadonlyMap<string, ReadonlySet<string>>;
/** The names of all series in a text of Prometheus, with the labels that they bear; of those without samples the declared. */
const seriesIn = (text: string): Told => {
  const series = new Map<string, Set<string>>();
  const add = (name: string, labels: Iterable<string>) =>
    series.set(name, new Set([...(series.get(name) ?? OF_PROMETHEUS), ...labels]));
  for (const line of text.split('\n')) {
    const [, family = '', type] = /^# TYPE (\S+) (\S+)/.exec(line) ?? [];
    const parts = type === 'histogram' ? ['_bucket', '_sum', '_count'] : [''];
    if (type)
      for (const part of parts)
        add(family + part, [...(part === '_bucket' ? ['le'] : []), ...(declaredLabels.get(family) ?? [])]);
    const [, name, labels = ''] = /^([a-z_]\w*)(?:\{(.*)\})? /.exec(line) ?? [];
    if (name) add(name, named(labels, /(\w+)="(?:[^"\\]|\\.)*"/g));
  }
  return series;
};

/** What a query names that nobody tells. */
const unknownIn = (told: Told, { where, query, labels }: Written): readonly string[] => {
  const { selectors, faults } = readQuery(query);
  const unknown = selectors.flatMap(({ metric, labels: wanted }) => {
    const known = told.get(metric);
    return known === undefined
      ? [metric]
      : wanted.filter((label) => !known.has(label)).map((one) => `${metric}{${one}}`);
  });
  const spoken = labels.filter((label) => !selectors.some(({ metric }) => told.get(metric)?.has(label)));
  return [...faults, ...unknown, ...spoken].map((what) => `${where}: ${what}`);
};

describe('four processes, asked through the gateway', () => {
  const bed = productBed();
  let installation: Awaited<ReturnType<typeof openInstallation>>;
  let text: string;
  let told: Told;
  const gateway = () => installation.urls('gateway')[0] ?? '';
  const scrape = async (url: string, token?: string) =>
    fetch(`${url}/metrics`, { headers: token === undefined ? {} : { authorization: `Bearer ${token}` } });

  beforeAll(async () => {
    const counts = { user: 1, task: 1, notification: 1, gateway: 1 };
    installation = await openInstallation(bed, counts, { METRICS_TOKEN: TOKEN });
    await installation.start();
    const ada = asking(gateway(), (await newPerson(gateway())).token);
    await ada('POST', '/api/v1/tasks', { body: { title: 'Seen' } });
    await ada('POST', '/api/v1/tasks', { body: { title: '' } });
    const ofAll = ['user', 'task', 'notification', 'gateway'].map((name) => `process="${name}"`);
    text = await until(
      'all to tell, also what came of it elsewhere',
      async () => {
        const now = await (await scrape(gateway(), TOKEN)).text();
        const wanted = [...ofAll, 'taskwire_consumed_events_total{', 'type="task.created"'];
        return wanted.every((one) => now.includes(one)) ? now : undefined;
      },
      60_000,
    );
    told = new Map([...seriesIn(text), ['up', new Set(OF_PROMETHEUS)]]); // of each target, by Prometheus itself
  });
  afterAll(() => installation.close());

  test('nobody is told who has no token', async () => {
    for (const url of [gateway(), ...installation.urls('task')]) {
      expect((await scrape(url)).status).toBe(401);
      expect((await scrape(url, TOKEN)).status).toBe(200);
    }
  });
  test('a family is told in one piece, and no series twice', () => {
    const families = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
    const samples = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    const series = samples.map((line) => line.slice(0, line.lastIndexOf(' ')));
    expect(new Set(families).size).toBe(families.length);
    expect(new Set(series).size).toBe(series.length);
    expect(samples.length).toBeGreaterThan(500);
  });
  test('every alert and every graph asks for what is told', () => {
    expect(alerts.length).toBeGreaterThan(15);
    expect(graphs.length).toBeGreaterThan(30);
    expect([...alerts, ...graphs].flatMap((one) => unknownIn(told, one))).toEqual([]);
  });
  test('where nobody tells anything, an alert says so: of the job that Prometheus is configured with', () => {
    const jobs = parse(readFileSync('deploy/prometheus/prometheus.yaml', 'utf8')).scrape_configs.map(
      ({ job_name }: { job_name: string }) => job_name,
    );
    const gone = rules.find(({ alert }) => alert === 'TaskwireGone');
    expect(jobs).toEqual(['taskwire']);
    expect(gone?.expr).toBe('up{job="taskwire"} == 0 or absent(up{job="taskwire"})');
  });
  test('every alert is told of in docs/operations.md, and no other', () => {
    const rows = [...readFileSync('docs/operations.md', 'utf8').matchAll(/^\| (Taskwire\w+(?:, Taskwire\w+)*) \|/gm)];
    const explained = rows.flatMap(([, names = '']) => names.split(', '));
    expect(explained.toSorted()).toEqual(rules.map(({ alert }) => alert).toSorted());
  });
  test.each([
    { name: 'user', most: 6 },
    { name: 'task', most: 6 },
    { name: 'notification', most: 8 },
    { name: 'gateway', most: 0 },
  ])('a $name process holds no more connections to the database than docs/operations.md counts', ({ name, most }) => {
    const held = figureIn(text, 'taskwire_pool_connections', `process="${name}"`);
    if (most === 0) expect(held).toBeNaN();
    else expect(held).toBeLessThanOrEqual(most);
  });
  test('every metric of ours is drawn or watched', () => {
    const asked = new Set(
      [...alerts, ...graphs].flatMap(({ query }) => readQuery(query).selectors.map((one) => one.metric)),
    );
    const isAsked = (name: string) => ['', '_bucket', '_sum', '_count'].some((part) => asked.has(name + part));
    expect([...declaredLabels.keys()].filter((name) => !isAsked(name))).toEqual([]);
  });
  test.each([
    ['a name', 'sum(rate(taskwire_http_request_total[5m]))', 'taskwire_http_request_total'],
    ['a label that chooses', 'taskwire_pool_waiting{service="x"}', 'taskwire_pool_waiting{service}'],
    ['a label that groups', 'sum by (code) (taskwire_http_requests_total)', 'taskwire_http_requests_total{code}'],
    ['a part of a histogram', 'taskwire_http_request_seconds', 'taskwire_http_request_seconds'],
    ['no query', 'sum(', 'at 4: '],
  ])('%s that nobody tells is found', (_what, query, found) => {
    expect(unknownIn(told, { where: 'x', query, labels: [] })).toEqual([`x: ${found}`]);
  });
  test('a label in words that nobody tells is found', () => {
    expect(unknownIn(told, { where: 'x', query: 'taskwire_pool_waiting', labels: ['pol'] })).toEqual(['x: pol']);
  });
});

/** What a family's samples with all of these labels come to; NaN where there is none. */
const figureIn = (text: string, name: string, ...labels: readonly string[]): number => {
  const samples = text
    .split('\n')
    .filter((line) => /^\w+/.exec(line)?.[0] === name && labels.every((label) => line.includes(label)))
    .map((line) => Number(line.slice(line.lastIndexOf(' '))));
  return samples.length === 0 ? Number.NaN : samples.reduce((sum, value) => sum + value, 0);
};

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const CLIENT = '00f067aa0ba902b7';

const watched = (redisProgram: string, receiverProgram: string) => {
  const bed = productBed();
  let broker: Awaited<ReturnType<typeof startKafka>>;
  let server: Awaited<ReturnType<typeof startRedis>>;
  let receiver: Awaited<ReturnType<typeof openReceiver>>;
  let installation: Awaited<ReturnType<typeof openInstallation>>;
  let ada: Awaited<ReturnType<typeof newPerson>>;
  const told = async (part: 'user' | 'task' | 'notification') =>
    (await fetch(`${installation.urls(part)[0]}/metrics`)).text();
  /** The figures of a service once they are as they should be; where they never are, those that it told last. */
  const figures = async (part: 'user' | 'task' | 'notification', holds: (text: string) => boolean): Promise<string> => {
    let text = '';
    const asTheyShould = async () => {
      text = await told(part);
      return holds(text);
    };
    await until(`figures of ${part}`, asTheyShould, 60_000).catch(() => undefined);
    return text;
  };

  beforeAll(async () => {
    [broker, server, receiver] = await Promise.all([
      startKafka(),
      startRedis(redisProgram),
      openReceiver(receiverProgram),
    ]);
    const counts = { user: 1, task: 1, notification: 1, gateway: 1 };
    installation = await openInstallation(bed, counts, {
      KAFKA_BOOTSTRAP_SERVERS: broker.bootstrap,
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      REDIS_HOST: '127.0.0.1',
      REDIS_PORT: String(server.port),
    });
    const topics = bed.taskwire(['topics', 'apply'], { env: installation.env });
    expect(await topics.exit, topics.output()).toEqual({ code: 0, signal: null });
    await installation.start();
    ada = await newPerson(installation.urls('gateway')[0] ?? '');
  }, 180_000);
  afterAll(async () => {
    await installation?.close();
    await Promise.all([broker?.stop(), server?.stop(), receiver?.stop()]);
  });

  test('the relay tells where it is, what waits while the broker does not answer, and what it took', async () => {
    const caughtUp = (text: string) =>
      figureIn(text, 'taskwire_relay_backlog_events') === 0 &&
      figureIn(text, 'taskwire_relay_position') === figureIn(text, 'taskwire_feed_position');
    const before = await figures('task', (text) => caughtUp(text));
    for (const node of broker.nodes) node.freeze();
    for (const title of ['One', 'Two'])
      expect((await ada.ask('POST', '/api/v1/tasks', { body: { title } })).status).toBe(201);
    const waiting = await figures(
      'task',
      (text) => figureIn(text, 'taskwire_relay_backlog_seconds') > 1 && figureIn(text, 'taskwire_feed_position') > 0,
    );
    for (const node of broker.nodes) node.resume();
    const after = await figures(
      'task',
      (text) => caughtUp(text) && figureIn(text, 'taskwire_relay_published_total') >= 2,
    );

    expect(figureIn(waiting, 'taskwire_relay_backlog_events')).toBe(2);
    expect(figureIn(waiting, 'taskwire_relay_position')).toBe(figureIn(before, 'taskwire_relay_position'));
    expect(figureIn(waiting, 'taskwire_feed_position') - figureIn(before, 'taskwire_feed_position')).toBeGreaterThan(0);
    expect(figureIn(after, 'taskwire_relay_backlog_events')).toBe(0);
    expect(figureIn(after, 'taskwire_relay_backlog_seconds')).toBe(0);
    expect(figureIn(after, 'taskwire_relay_position')).toBe(figureIn(waiting, 'taskwire_feed_position'));
    expect(figureIn(after, 'taskwire_relay_published_total', 'service="task"')).toBe(2);
    expect(figureIn(after, 'taskwire_relay_publish_seconds_count', 'service="task"')).toBeGreaterThan(0);
  });

  test('a request is one trace through gateway, service, broker, policy and job, and the broker’s part is linked to it', async () => {
    const gateway = asking(installation.urls('gateway')[0] ?? '');
    const headers = { traceparent: `00-${TRACE}-${CLIENT}-01` };
    const body = { email: 'traced@example.org', username: 'traced', password: 'correct horse battery' };
    expect((await gateway('POST', '/api/v1/auth/register', { headers, body })).status).toBe(201);
    const { spans } = receiver;
    const inTrace = () => spans.filter(({ traceId }) => traceId === TRACE);
    const above = ({ parentSpanId }: ReceivedSpan) => spans.find(({ spanId }) => spanId === parentSpanId);
    const orphans = () => inTrace().filter((span) => span.parentSpanId !== CLIENT && above(span) === undefined);
    const pathTo = (span: ReceivedSpan | undefined): readonly ReceivedSpan[] =>
      span === undefined ? [] : [...pathTo(above(span)), span];
    const pathOfMail = () => pathTo(inTrace().find(({ name }) => name === 'send mail'));
    /** What was done in a batch has a trace of its own, with links to those that it carries. */
    const linked = (name: string) =>
      spans.filter((span) => {
        const command = inTrace().find((one) => one.name === 'RegisterUser');
        return span.name === name && span.links?.some(({ spanId }) => spanId === command?.spanId);
      });
    // Each process tells by itself: what came first may be told of last.
    await until(
      'all of it to be told of',
      () =>
        pathOfMail()[0]?.parentSpanId === CLIENT &&
        orphans().length === 0 &&
        linked('send user.events').length > 0 &&
        linked('process user.events').length > 0,
      60_000,
    ).catch(() => undefined);

    const path = pathOfMail();
    expect(path.map(({ service, name }) => `${service}: ${name}`)).toEqual([
      'taskwire-gateway: POST /api/v1/auth/register',
      'taskwire-gateway: POST',
      'taskwire-user: POST /api/v1/auth/register',
      'taskwire-user: RegisterUser',
      'taskwire-notification: process user.created',
      'taskwire-notification: job mail',
      'taskwire-notification: send mail',
    ]);
    expect(path[0]?.parentSpanId).toBe(CLIENT);
    // By OpenTelemetry's numbers: server 2, client 3, producer 4, consumer 5.
    expect(path.map(({ kind }) => kind)).toEqual([2, 3, 2, 1, 5, 5, 3]);
    expect(orphans()).toEqual([]);
    expect(linked('send user.events')).toMatchObject([{ service: 'taskwire-user', kind: 4 }]);
    expect(new Set(linked('process user.events').map(({ service }) => service))).toEqual(
      new Set(['taskwire-notification']),
    );
    expect(JSON.stringify(spans)).not.toMatch(/traced@|correct horse/);
  });

  test('Redis is told to be there with what it saved, and to be away', async () => {
    const count = () => ada.ask('GET', '/api/v1/tasks?limit=1&count=true');
    const hits = (text: string) => figureIn(text, 'taskwire_cache_requests_total', 'result="hit"');
    const isUp = (text: string) => figureIn(text, 'taskwire_redis_up');
    const there = await until('a count that was kept', async () => {
      await count(); // any open write transaction of the cluster puts off that it is kept
      const text = await told('task');
      return hits(text) > 0 && isUp(text) === 1 ? text : undefined; // one late answer is enough for it to be away a while
    });
    expect(figureIn(there, 'taskwire_cache_requests_total', 'result="miss"')).toBeGreaterThan(0);

    await server.kill();
    const away = await figures('task', (text) => isUp(text) === 0);
    expect(isUp(away)).toBe(0);
    expect((await count()).status).toBe(200);
    const later = await figures('task', (text) => text !== away);
    expect(hits(later)).toBe(hits(away));

    await server.start();
    expect(isUp(await figures('task', (text) => isUp(text) === 1))).toBe(1);
  });
};

kafka.describe('on a broker', () =>
  redis.describe('and Redis', (redisProgram) =>
    otlpReceiver.describe('with a collector', (receiverProgram) => watched(redisProgram, receiverProgram)),
  ),
);
