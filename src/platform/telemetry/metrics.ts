/**
 * Every figure that a process tells of itself at /metrics, once: name, help, labels. Dashboards and alerts are checked
 * against this list and against what running processes answer.
 *
 * They belong to the process, not to what is built in it: whoever counts says so where it happens, and no signature carries
 * them. Labels have few values, known beforehand: route patterns, codes, names of consumers; never an id, an address or
 * anything that a person typed. Counting one costs less than a microsecond.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

export const registry = new Registry();

/** The labels of each metric by its name, for who checks what is written about them. */
export const declaredLabels = new Map<string, readonly string[]>();
const describe = <const Label extends string>(suffix: string, help: string, labelNames: readonly Label[]) => {
  const name = `taskwire_${suffix}`;
  declaredLabels.set(name, labelNames);
  return { name, help, labelNames, registers: [registry] };
};
const counter = <const Label extends string = never>(name: string, help: string, ...labels: readonly Label[]) =>
  new Counter<Label>(describe(name, help, labels));
const gauge = <const Label extends string = never>(name: string, help: string, ...labels: readonly Label[]) =>
  new Gauge<Label>(describe(name, help, labels));
const histogram = <const Label extends string = never>(
  name: string,
  help: string,
  buckets: readonly number[],
  ...labels: readonly Label[]
) => new Histogram<Label>({ ...describe(name, help, labels), buckets: [...buckets] });

/** Seconds, from a statement to what somebody gives up on. */
const SHORT = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
/** Seconds, from a commit to what comes of it elsewhere: ms, or as long as something was away. */
const LONG = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300];
const COMMITS = [1, 2, 4, 8, 16, 32, 64];

/** Counted and timed where it happens. */
export const metrics = {
  httpRequests: counter('http_requests_total', 'Requests answered, by route pattern.', 'method', 'route', 'status'),
  httpSeconds: histogram(
    'http_request_seconds',
    'From the headers to the end of the answer.',
    SHORT,
    'method',
    'route',
  ),
  httpProblems: counter('http_problems_total', 'Problem documents answered, by code.', 'code'),

  commands: counter(
    'commands_total',
    'Commands of whoever gave them, by what became of them.',
    'service',
    'command',
    'outcome',
  ),
  commandSeconds: histogram('command_seconds', 'From the queue of the stream to the commit.', SHORT, 'service'),
  rejections: counter('rejections_total', 'Commands that the rules refused, by code.', 'service', 'command', 'code'),
  commandRetries: counter('command_retries_total', 'Decisions made anew, for another process wrote.', 'service'),
  events: counter('events_total', 'Events appended.', 'service', 'type'),

  batchCommits: histogram('batch_commits', 'Commits that went in one transaction.', COMMITS, 'service'),
  batchSeconds: histogram('batch_seconds', 'A transaction of such commits, both trips.', SHORT, 'service'),
  appendSeconds: histogram('append_seconds', 'The first trip of it: locks, verdicts, the append.', SHORT, 'service'),

  deliverySeconds: histogram(
    'delivery_seconds',
    'From the append of an event to the commit of what a consumer made of it.',
    LONG,
    'consumer',
  ),
  consumed: counter('consumed_events_total', 'Events that a consumer has dealt with.', 'consumer', 'source'),
  incidents: counter('consumer_incidents_total', 'What befell a consumer.', 'consumer', 'source', 'kind'),
  published: counter('relay_published_total', 'Events that the broker acknowledged.', 'service'),
  publishSeconds: histogram('relay_publish_seconds', 'A send, until all of it is acknowledged.', SHORT, 'service'),
  relayIncidents: counter('relay_incidents_total', 'What befell a relay.', 'service', 'kind'),
  work: counter('work_total', 'Timers and jobs run, by how they ended.', 'work', 'outcome'),

  attempts: counter('upstream_attempts_total', 'Attempts of the gateway, by how they ended.', 'service', 'ending'),
  retries: counter('upstream_retries_total', 'Attempts made again, within the budget.', 'service'),
  cache: counter('cache_requests_total', 'Answers looked up that may be kept.', 'result'),
  spans: counter('trace_spans_total', 'Spans of traces, by what became of them.', 'outcome'),
} as const;

/** Looked up when somebody asks. */
export const gauges = {
  consumerLagEvents: gauge('consumer_lag_events', 'Events behind, up to 10,000.', 'consumer', 'source'),
  consumerLagSeconds: gauge('consumer_lag_seconds', 'Age of the oldest of them.', 'consumer', 'source'),
  parkedKeys: gauge('consumer_parked_keys', 'Keys of which an event cannot be handled.', 'consumer', 'source'),
  parkedSeconds: gauge('consumer_parked_seconds', 'How long the oldest has been parked.', 'consumer', 'source'),
  relayPosition: gauge('relay_position', 'Where the relay stands in the feed.', 'service'),
  relayBacklogEvents: gauge('relay_backlog_events', 'Events not published yet, up to 10,000.', 'service'),
  relayBacklogSeconds: gauge('relay_backlog_seconds', 'Age of the oldest of them.', 'service'),
  feedPosition: gauge('feed_position', 'The newest event of the store.', 'service'),
  writeSeconds: gauge(
    'oldest_write_transaction_seconds',
    'For how long at least the oldest open write transaction of the cluster, which holds feeds back, was seen.',
    'service',
  ),
  workDue: gauge('work_due', 'Timers and jobs whose time has come.', 'service', 'work'),
  workLateSeconds: gauge('work_late_seconds', 'For how long the oldest of them has been due.', 'service', 'work'),
  copies: gauge('upstream_copies', 'Copies of a service, by breaker.', 'service', 'breaker'),
  readyCopies: gauge('upstream_ready_copies', 'Copies of a service that say that they are ready.', 'service'),
  poolConnections: gauge('pool_connections', 'Connections to a database.', 'pool', 'state'),
  poolWaiting: gauge('pool_waiting', 'Statements sent behind others on their connection.', 'pool'),
  redisUp: gauge('redis_up', 'Whether Redis is used.'),
  spanQueue: gauge('trace_queue', 'Spans that wait to be exported.'),
  collectorUp: gauge('collector_up', 'Whether figures that must be looked up came in time.', 'collector'),
} as const;

/** What Node and the system say of the process: CPU, memory, event-loop delay, garbage. Once in a process. */
export const watchProcess = (): void => {
  if (registry.getSingleMetric('process_cpu_seconds_total') === undefined)
    collectDefaultMetrics({ register: registry });
};
