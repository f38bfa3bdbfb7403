/** How fast a read model is made anew from its streams, with nobody else at work: tasks of three events each. */
import { v7 as uuidv7 } from 'uuid';
import type { TaskTitle } from '../src/contracts/task.ts';
import type { UserId } from '../src/contracts/user.ts';
import { handle } from '../src/platform/commit/command-handler.ts';
import type { ServiceKit } from '../src/platform/lifecycle/service-kit.ts';
import { rebuild } from '../src/platform/read-models/rebuild.ts';
import { openDatabase } from '../src/platform/sql/database.ts';
import { TASK_SERVICE } from '../src/services/task/service.ts';
import { context, OWNER, openKit, TITLE, tasks } from './kit.ts';
import type { Options } from './options.ts';
import { createDatabase, type Server } from './postgres.ts';
import { type Figure, grouped, median, type Row } from './report.ts';
import { Series } from './series.ts';

const TASKS_PER_SECOND = 6_000;
const OWNERS = Array.from({ length: 1_000 }, () => uuidv7() as UserId);

export async function rebuildRow(server: Server, { rounds, seconds, progress }: Options): Promise<Row> {
  const address = await createDatabase(server, 'bench_rebuild');
  const kit = await openKit(address);
  const count = seconds * TASKS_PER_SECOND;
  const what = `rebuild a read model of ${grouped(count)} tasks, ${grouped(count * 3)} events`;
  progress(what);
  const database = openDatabase({
    address,
    schema: TASK_SERVICE.schema,
    statementTimeout: 0,
    applicationName: 'bench',
    connections: 1,
  });
  const rates = new Series<number>();
  try {
    await makeTasks(kit, count);
    const [model] = TASK_SERVICE.readModels;
    for (let round = 0; round < rounds; round++) {
      await rates.add(async () => {
        const began = performance.now();
        const { events } = await rebuild({ database, opening: kit.commands, model });
        return events / ((performance.now() - began) / 1000);
      });
    }
  } finally {
    await Promise.all([database.close(), kit.close()]);
  }
  return { what, ours: rates.cell(rate), aim: '≥ 30,000/s' };
}

function rate(samples: readonly number[]): Figure {
  const value = median(samples);
  return { value, text: `${grouped(value)} events/s` };
}

/** Each is created, changed and completed. */
async function makeTasks({ commands }: ServiceKit, count: number): Promise<void> {
  let made = 0;
  const make = async () => {
    while (made < count) {
      const by = OWNERS[made++ % OWNERS.length] ?? OWNER;
      const id = uuidv7();
      const fields = { title: TITLE, description: null, priority: 'medium', categoryId: null, due: null } as const;
      const changes = { title: `${TITLE} again` as TaskTitle };
      await handle(commands, tasks, id, { type: 'CreateTask', by, fields }, context(), { isNew: true });
      await handle(commands, tasks, id, { type: 'UpdateTask', by, changes }, context());
      await handle(commands, tasks, id, { type: 'CompleteTask', by }, context());
    }
  };
  await Promise.all(Array.from({ length: 64 }, make));
}
