/** How long it takes to load a stream and fold its state. */
import { v7 as uuidv7 } from 'uuid';
import type { TaskEvent, TaskId, TaskTitle } from '../src/contracts/task.ts';
import { handle } from '../src/platform/commit/command-handler.ts';
import { streamName } from '../src/platform/event-store/event.ts';
import { evolve } from '../src/platform/event-store/evolve.ts';
import { eventsOf } from '../src/platform/event-store/store.ts';
import type { ServiceKit } from '../src/platform/lifecycle/service-kit.ts';
import type { Task } from '../src/services/task/domain/task.ts';
import { context, OWNER, openKit, TITLE, tasks } from './kit.ts';
import type { Options } from './options.ts';
import { createDatabase, type Server } from './postgres.ts';
import { type Figure, median, type Row } from './report.ts';
import { Series } from './series.ts';

const LENGTHS = [10, 100, 1000] as const;

export async function streamRows(server: Server, { rounds, progress }: Options): Promise<Row[]> {
  const kit = await openKit(await createDatabase(server, 'bench_streams'));
  const rows: Row[] = [];
  for (const length of LENGTHS) {
    const what = `load a stream of ${length} events`;
    progress(what);
    const loads = new Series<number>();
    for (let round = 0; round < rounds; round++) await loads.add(() => loadTime(kit, length));
    rows.push({ what, ours: loads.cell(inMilliseconds) });
  }
  return rows;
}

function inMilliseconds(samples: readonly number[]): Figure {
  const value = median(samples);
  return { value, text: `${value.toFixed(2)} ms` };
}

/** Milliseconds for one load with its fold, the median of many. */
const loadTime = async (kit: ServiceKit, length: number): Promise<number> => {
  const stream = streamName(tasks.streamPrefix, await taskOf(kit, length));
  const times: number[] = [];
  for (let n = 0; n < 50; n++) {
    const began = performance.now();
    const step = evolve<Task, TaskEvent, 'task.created'>(tasks.decider);
    let state: Task | undefined;
    for (const { event, meta } of eventsOf<TaskEvent>(await kit.commands.store.load(stream)))
      state = step(state, event, meta);
    times.push(performance.now() - began);
  }
  return median(times);
};

const made = new Map<number, TaskId>();
/** A task whose title was changed until its stream is so long. */
async function taskOf({ commands }: ServiceKit, length: number): Promise<TaskId> {
  const known = made.get(length);
  if (known) return known;
  const id = uuidv7() as TaskId;
  const fields = { title: TITLE, description: null, priority: 'medium', categoryId: null, due: null } as const;
  await handle(commands, tasks, id, { type: 'CreateTask', by: OWNER, fields }, context(), { isNew: true });
  for (let version = 2; version <= length; version++) {
    const changes = { title: `${TITLE} ${version}` as TaskTitle };
    await handle(commands, tasks, id, { type: 'UpdateTask', by: OWNER, changes }, context());
  }
  made.set(length, id);
  return id;
}
