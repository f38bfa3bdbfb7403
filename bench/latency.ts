/** From a commit to its effect in another service, on both buses: at a third of what they can carry, and with little to do. */
import { setTimeout as sleep } from 'node:timers/promises';
import { openKafkaBus } from '../src/platform/event-bus/kafka/kafka-bus.ts';
import { type Bed, create, createAll, logBus, openBed, until, withConsumer } from './bed.ts';
import { makeTopics, onBroker } from './broker.ts';
import type { Options } from './options.ts';
import { createDatabase, type Server } from './postgres.ts';
import { startRelay } from './relay.ts';
import { grouped, percentile, type Row } from './report.ts';
import { Series } from './series.ts';

/** Commits a second. */
const LITTLE = 50;

export async function latencyRows(server: Server, folder: string, options: Options): Promise<Row[]> {
  const bed = await openBed(await createDatabase(server, 'bench_latency'), logBus);
  const onLog = await rowsOf(bed, 'the log bus', 'p50 ≤ 5, p99 ≤ 50 ms', options).finally(bed.close);
  return [
    ...onLog,
    ...(await rowsOnKafka(server, folder, 8, options)),
    // What the spreading costs: with eight, a commit of a consumer takes a share of each.
    ...(await rowsOnKafka(server, folder, 1, options)),
  ];
}

const rowsOnKafka = (server: Server, folder: string, partitions: 1 | 8, options: Options): Promise<Row[]> =>
  onBroker(`latency-${partitions}`, folder, async (broker) => {
    await makeTopics(broker, partitions);
    const bus = openKafkaBus(broker.settings);
    const database = await createDatabase(server, `bench_latency_kafka_${partitions}`);
    const bed = await openBed(database, () => bus);
    const relay = await startRelay(bed, bus);
    const name = `Kafka, ${partitions === 1 ? '1 partition' : `${partitions} partitions`}`;
    try {
      return await rowsOf(bed, name, 'p50 ≤ 15, p99 ≤ 100 ms', options);
    } finally {
      await relay.stop();
      await bed.close();
    }
  });

const rowsOf = async (bed: Bed, bus: string, aim: string, { rounds, seconds, progress }: Options): Promise<Row[]> => {
  progress(`latency: the peak, ${bus}`);
  const peak = await withConsumer(bed, () => createAll(bed.producer, seconds));
  const rows: Row[] = [];
  for (const [rate, load] of [
    [peak / 3, 'a third of the peak'],
    [LITTLE, 'little to do'],
  ] as const) {
    const latencies = new Series<readonly number[]>();
    for (let round = 0; round < rounds; round++) {
      progress(`latency: commit to effect at ${Math.round(rate)} a second, ${bus}, round ${round + 1}`);
      await latencies.add(() => commitToEffect(bed, rate, seconds));
    }
    const what = `commit → effect on ${bus}, ${load} (${grouped(rate)}/s)`;
    rows.push({ what, ours: latencies.cell(times), ...(load !== 'little to do' && { aim }) });
  }
  return rows;
};

const times = (samples: readonly (readonly number[])[]) => {
  const [p50, p99] = [percentile(samples.flat(), 0.5), percentile(samples.flat(), 0.99)];
  return { value: p50, text: `p50 ${p50.toFixed(1)} p99 ${p99.toFixed(1)} ms`, detail: { p50, p99 } };
};

/** ms from the answer to a command until its effect in the other service is committed. */
const commitToEffect = async (bed: Bed, perSecond: number, seconds: number): Promise<readonly number[]> => {
  const committed = new Map<string, number>();
  const effective = new Map<string, number>();
  const run = async () => {
    const last = await create(bed.producer);
    await until('what others left to be worked off', () => effective.has(last));
    const began = performance.now();
    const sent: Promise<void>[] = [];
    while (performance.now() - began < seconds * 1000) {
      const due = ((performance.now() - began) / 1000) * perSecond;
      while (sent.length < due) {
        sent.push(create(bed.producer).then((id) => void committed.set(id, performance.now())));
      }
      await sleep(1);
    }
    await Promise.all(sent);
    await until('all effects', () => committed.keys().every((id) => effective.has(id)));
  };
  await withConsumer(bed, run, (ids) => {
    for (const id of ids) effective.set(id, performance.now());
  });
  return [...committed].map(([id, at]) => Math.max(0, (effective.get(id) ?? Number.NaN) - at));
};
