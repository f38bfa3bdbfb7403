/** What dashboards and alerts ask for is what the running processes tell. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { declaredLabels } from '../../src/platform/telemetry/metrics.ts';
import { openInstallation } from '../support/installation.ts';
import { readQuery } from '../support/promql.ts';
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
  ...{ where: alert, query: expr, labels: named(annotations.summary, /\$labels\.(\w+)/g) },
}));
type Panel = { readonly title: string; readonly targets?: readonly { expr: string; legendFormat: string }[] };
const panels: readonly Panel[] = JSON.parse(readFileSync('deploy/grafana/taskwire.json', 'utf8')).panels;
const graphs: readonly Written[] = panels.flatMap(({ title, targets = [] }) =>
  targets.map(({ expr, legendFormat }) => ({
    ...{ where: title, query: expr, labels: named(legendFormat, /\{\{(\w+)\}\}/g) },
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
    told = seriesIn(text);
  }, 120_000);
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
