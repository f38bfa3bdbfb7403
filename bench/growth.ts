/**
 * npm run bench -- --full --only growth [--events N]: what a command costs in a store of ten million events, or so many,
 * beside the same command in an empty one. The events and the rows of their tasks are loaded by COPY, as they would lie there after years.
 */

import { once } from 'node:events';
import { createWriteStream, rmSync } from 'node:fs';
import { v7 as uuidv7 } from 'uuid';
import { laneOf } from '../src/platform/event-store/lane.ts';
import { TASK_SERVICE } from '../src/services/task/service.ts';
import { createTask } from './commit.ts';
import { OWNER, openKit, TITLE } from './kit.ts';
import type { Options } from './options.ts';
import { createDatabase, type Database, query, type Server } from './postgres.ts';
import { cpuTime, workingIn } from './proc.ts';
import { grouped, median, type Row } from './report.ts';
import { Series } from './series.ts';

const EVENTS_OF_TASK = 10;
const CHUNK = 50_000;
const WRITERS = 32;

type Sample = { readonly rate: number; readonly cost: number };

export async function growthRows(server: Server, options: Options): Promise<Row[]> {
  const database = await createDatabase(server, 'bench_growth');
  const kit = await openKit(database);
  const measure = async (): Promise<Sample> => {
    const [node, postgres] = [process.cpuUsage(), cpuTime(workingIn(server.folder))];
    const began = performance.now();
    let made = 0;
    const write = async () => {
      for (; performance.now() - began < options.seconds * 1000; made++) await createTask(kit);
    };
    await Promise.all(Array.from({ length: WRITERS }, write));
    const seconds = (performance.now() - began) / 1000;
    const { user, system } = process.cpuUsage(node);
    return { rate: made / seconds, cost: (user + system + cpuTime(workingIn(server.folder)) - postgres) / made };
  };
  const [first, last] = [new Series<Sample>(), new Series<Sample>()];
  try {
    await measure(); // the warm-up
    for (let round = 0; round < options.rounds; round++) await first.add(measure);
    for (let tasks = 0; tasks < options.events / EVENTS_OF_TASK; tasks += CHUNK) {
      options.progress(`growth: ${grouped(tasks * EVENTS_OF_TASK)} of ${grouped(options.events)} events`);
      await load(database, `${server.folder}.copy`);
    }
    for (let round = 0; round < options.rounds; round++) await last.add(measure);
  } finally {
    await kit.close();
  }
  const figure = (samples: readonly Sample[]) => {
    const value = median(samples.map(({ cost }) => cost));
    const rate = median(samples.map((sample) => sample.rate));
    return { value, text: `${grouped(rate)}/s  ${grouped(value)} µs` };
  };
  const what = `cost of a command after ${grouped(options.events)} events, after none`;
  return [{ what, ours: last.cell(figure), peer: first.cell(figure), aim: '≤ 1.5 ×' }];
}

/** So many tasks more, each with a stream of its own. */
const load = async (database: Database, file: string): Promise<void> => {
  const { schema } = TASK_SERVICE;
  const at = new Date().toISOString();
  const metadata = JSON.stringify({
    correlationId: uuidv7(),
    causationId: uuidv7(),
    actor: OWNER,
    requestId: uuidv7(),
    occurredAt: at,
  });
  const sealed = JSON.stringify({
    changes: { title: { from: { $sealed: 'x'.repeat(80) }, to: { $sealed: 'x'.repeat(80) } } },
  });
  const rows: string[] = [];
  await write(`${file}.events`, function* () {
    for (let task = 0; task < CHUNK; task++) {
      const id = uuidv7();
      rows.push(
        [
          id,
          EVENTS_OF_TASK,
          OWNER,
          TITLE,
          'open',
          'medium',
          at,
          at,
          TITLE.toLowerCase(),
          2,
          ` ${TITLE.toLowerCase()}`,
        ].join('\t'),
      );
      for (let version = 1; version <= EVENTS_OF_TASK; version++) {
        const type = version === 1 ? 'task.created' : 'task.updated';
        const place = ['1', uuidv7(), `task-${id}`, version, 'task.events', id, laneOf(id), OWNER, type, 1];
        yield [...place, sealed, metadata].join('\t');
      }
    }
  });
  await write(`${file}.rows`, () => rows);
  await query(
    database,
    `copy ${schema}.event (era, id, stream, version, topic, key, lane, subject, type, schema_version, data, metadata)
     from '${file}.events'`,
  );
  await query(
    database,
    `copy ${schema}.task_list (id, version, owner_id, title, status, priority, created_at, updated_at, title_key,
       priority_rank, search_text) from '${file}.rows'`,
  );
  for (const part of ['events', 'rows']) rmSync(`${file}.${part}`);
};

const write = async (file: string, lines: () => Iterable<string>): Promise<void> => {
  const out = createWriteStream(file);
  let text = '';
  for (const line of lines()) {
    text += `${line}\n`;
    if (text.length < 1 << 20) continue;
    if (!out.write(text)) await once(out, 'drain');
    text = '';
  }
  out.end(text);
  await once(out, 'close');
};
