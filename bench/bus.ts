/**
 * What events cost without a broker: the feed read as it is published, a projection that catches up, and what a consumer
 * beside them costs commands. How fast events travel is in latency.ts, and what a broker makes of it in kafka.ts.
 */
import { FEED_START, type FeedPosition } from '../src/platform/event-store/event.ts';
import { openDatabase, statement } from '../src/platform/sql/database.ts';
import { TASK_SERVICE } from '../src/services/task/service.ts';
import { catchUp, createAll, logBus, openBed, withConsumer } from './bed.ts';
import type { Options } from './options.ts';
import { createDatabase, type Database, type Server } from './postgres.ts';
import { grouped, median, type Row } from './report.ts';
import { Series } from './series.ts';

export async function busRows(server: Server, { rounds, seconds, progress }: Options): Promise<Row[]> {
  const bed = await openBed(await createDatabase(server, 'bench_bus'), logBus);
  const [alone, beside] = [new Series<number>(), new Series<number>()];
  const [feed, consumer] = [new Series<number>(), new Series<number>()];
  try {
    for (let round = 0; round < rounds; round++) {
      progress(`bus: commands alone and beside a consumer, round ${round + 1}`);
      await alone.add(() => createAll(bed.producer, seconds));
      await beside.add(() => withConsumer(bed, () => createAll(bed.producer, seconds)));
    }
    for (let round = 0; round < rounds; round++) {
      progress(`bus: feed and consumer from the beginning, round ${round + 1}`);
      await feed.add(() => readFeed(bed.database));
      await consumer.add(() => catchUp(bed));
    }
  } finally {
    await bed.close();
  }
  const rate = (samples: readonly number[]) => ({ value: median(samples), text: `${grouped(median(samples))}/s` });
  return [
    { what: 'create a task in process, beside a consumer, alone', ours: beside.cell(rate), peer: alone.cell(rate) },
    { what: 'read what is published, unparsed', ours: feed.cell(rate) },
    { what: 'a projection that catches up, events', ours: consumer.cell(rate), aim: '≥ 10,000/s' },
  ];
}

const PUBLISHED = statement('bench-published', 'select * from published($1, $2::xid8, $3, 1000)');
const readFeed = async (database: Database): Promise<number> => {
  const rights = { schema: TASK_SERVICE.schema, statementTimeout: 0, applicationName: 'bench', connections: 1 };
  const reader = openDatabase({ ...rights, address: database });
  const began = performance.now();
  let at: FeedPosition = FEED_START;
  let read = 0;
  for (;;) {
    const rows = await reader.write<FeedPosition>(PUBLISHED, [at.era, at.tx, at.position]);
    const last = rows.at(-1);
    if (last === undefined) break;
    read += rows.length;
    at = last;
  }
  await reader.close();
  return read / ((performance.now() - began) / 1000);
};
