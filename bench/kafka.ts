/**
 * What a broker takes and gives: a relay that makes up for a backlog beside Kafka's own ProducerPerformance, and a
 * consumer that catches up beside ConsumerPerformance. The tools send and read bytes. The relay also reads the store, and
 * stores how far it came; the consumer also opens what is sealed, and commits rows with where it stands.
 */
import { Admin } from '@platformatic/kafka';
import type { Delivery } from '../src/platform/event-bus/delivery.ts';
import { clientOptions } from '../src/platform/event-bus/kafka/client.ts';
import { toRecord } from '../src/platform/event-bus/kafka/cloud-event.ts';
import { openKafkaBus } from '../src/platform/event-bus/kafka/kafka-bus.ts';
import { cursorsAfter, type Standing } from '../src/platform/event-bus/lanes.ts';
import { FEED_START } from '../src/platform/event-store/event.ts';
import { TASK_SERVICE } from '../src/services/task/service.ts';
import { type Bed, catchUp, createWhile, openBed, until } from './bed.ts';
import { type Broker, makeTopics, onBroker } from './broker.ts';
import { consumerPerformance, producerPerformance } from './kafka-tools.ts';
import type { Options } from './options.ts';
import { createDatabase, query, type Server } from './postgres.ts';
import { cpuTime, workingIn } from './proc.ts';
import { startRelay } from './relay.ts';
import { type Figure, grouped, median, type Row } from './report.ts';
import { Series } from './series.ts';

const EVENTS_PER_SECOND = 15_000;
const [TOPIC, PRIVATE, TOOLS] = ['task.events', 'task.events.private', 'user.events'] as const;

/** Events a second, and the CPU of them all in µs: ours, PostgreSQL's, Kafka's. */
type Sample = { readonly rate: number; readonly cpu: readonly number[] };

export const kafkaRows = (server: Server, folder: string, options: Options): Promise<Row[]> =>
  onBroker('kafka', folder, async (broker) => {
    const bed = await openBed(await createDatabase(server, 'bench_kafka'), () => openKafkaBus(broker.settings));
    try {
      return await rowsOf(bed, broker, server, options);
    } finally {
      await bed.close();
    }
  });

const rowsOf = async (bed: Bed, broker: Broker, server: Server, { rounds, seconds, progress }: Options) => {
  const events = seconds * EVENTS_PER_SECOND;
  progress(`kafka: writing ${grouped(events)} events`);
  await createWhile(bed.producer, (made) => made < events);
  const count = async (run: () => Promise<number>): Promise<Sample> => {
    const cpu = () => [cpuTime([process.pid]), cpuTime(workingIn(server.folder)), broker.cpu()];
    const before = cpu();
    const rate = await run();
    return { rate, cpu: cpu().map((time, n) => (time - (before[n] ?? 0)) / events) };
  };
  const [relay, producer] = [new Series<Sample>(), new Series<number>()];
  const [consumer, reader, tool] = [new Series<Sample>(), new Series<Sample>(), new Series<number>()];
  let size = 0;
  for (let round = 0; round < rounds; round++) {
    progress(`kafka: relay and ProducerPerformance, round ${round + 1}`);
    await relay.add(async () => {
      await forgetPublished(bed, broker);
      return count(() =>
        relayAll(bed, broker, events, (bytes) => {
          size = bytes;
        }),
      );
    });
    await producer.add(() => producerPerformance(broker, { topic: TOOLS, records: events, size }));
  }
  for (let round = 0; round < rounds; round++) {
    progress(`kafka: consumer, reader and ConsumerPerformance, round ${round + 1}`);
    await consumer.add(() => count(() => catchUp(bed)));
    await reader.add(() => count(() => readAll(broker, events)));
    await tool.add(() => consumerPerformance(broker, TOPIC, events));
  }
  const peers = { producer: producer.cell(rate), consumer: tool.cell(rate) };
  return [
    {
      what: `relay ${grouped(events)} events of ${size} bytes, ProducerPerformance`,
      ours: relay.cell(costed),
      peer: peers.producer,
      aim: '≥ 20,000/s',
    },
    {
      what: 'a projection that catches up, ConsumerPerformance',
      ours: consumer.cell(costed),
      peer: peers.consumer,
      aim: '≥ 10,000/s',
    },
    { what: 'its reader alone, ConsumerPerformance', ours: reader.cell(costed), peer: peers.consumer },
  ];
};

const rate = (samples: readonly number[]): Figure => ({
  value: median(samples),
  text: `${grouped(median(samples))}/s`,
});
const costed = (samples: readonly Sample[]): Figure => {
  const value = median(samples.map((sample) => sample.rate));
  const [node = 0, postgres = 0, kafka = 0] = [0, 1, 2].map((n) => median(samples.map(({ cpu }) => cpu[n] ?? 0)));
  const text = `${grouped(value)}/s  ${grouped(node)}+${grouped(postgres)}+${grouped(kafka)} µs`;
  return { value, text, detail: { node, postgres, kafka } };
};

/** A topic that nothing was sent to, and a store of which nothing was published. */
const forgetPublished = async ({ database }: Bed, broker: Broker): Promise<void> => {
  const { schema } = TASK_SERVICE;
  await query(database, `truncate ${schema}.relay_lane`);
  await query(database, `update ${schema}.relay set revision = 0, era = 0, tx = '0', position = 0, seen_era = 0`);
  const admin = new Admin(clientOptions(broker.settings, 'bench-topics'));
  try {
    const there = await admin.listTopics({});
    const topics = [TOPIC, PRIVATE].filter((topic) => there.includes(topic));
    if (topics.length > 0) await admin.deleteTopics({ topics });
    await until('topics to be gone', async () => !(await admin.listTopics({})).includes(TOPIC));
  } finally {
    await admin.close();
  }
  await makeTopics(broker);
};

/** Events a second from the first request to the last acknowledgement; tells how large the records are by themselves. */
const relayAll = async (bed: Bed, { settings }: Broker, events: number, tell: (bytes: number) => void) => {
  const bus = openKafkaBus(settings);
  let [sent, began, ended] = [0, 0, 0];
  const send = async (source: string, deliveries: readonly Delivery[]): Promise<void> => {
    if (began === 0) tell(sizeOf(source, deliveries));
    began ||= performance.now();
    await bus.send(source, deliveries);
    sent += deliveries.length;
    ended = performance.now();
  };
  const relay = await startRelay(bed, { ...bus, send });
  try {
    await until('a relay', () => sent >= events);
  } finally {
    await relay.stop();
    await bus.close();
  }
  return events / ((ended - began) / 1000);
};

/** Key, value and headers of a record, on average. */
const sizeOf = (source: string, deliveries: readonly Delivery[]): number => {
  const bytes = deliveries
    .map((delivery) => toRecord(source, delivery))
    .flatMap(({ key, value, headers }) => [key, value, ...[...headers].flat()])
    .reduce((sum, { length }) => sum + length, 0);
  return Math.round(bytes / deliveries.length);
};

/** What a consumer reads, and nothing done with it. */
const readAll = async ({ settings }: Broker, events: number): Promise<number> => {
  const bus = openKafkaBus(settings);
  const lease = { acquire: async () => true, release: async () => undefined };
  const reader = bus.open({ consumer: 'bench-reader', source: 'task' }, [TOPIC], lease);
  let standing: Standing = { start: FEED_START, cursors: new Map(), lanes: new Map() };
  let [read, first, began] = [0, 0, 0];
  try {
    await until('a place in the group', () => reader.holds());
    while (read < events) {
      const { deliveries, cursors } = await reader.next(standing);
      read += deliveries.length;
      standing = { ...standing, cursors: cursorsAfter(standing, cursors) };
      if (began > 0 || read === 0) continue;
      began = performance.now();
      first = read;
    }
    return (read - first) / ((performance.now() - began) / 1000);
  } finally {
    await reader.close();
    await bus.close();
  }
};
