/**
 * What many people cost. Each has a key for what they write; a process keeps 50,000 of them for some minutes. So a create
 * of somebody whose key is at hand stands beside one that has to fetch it, and one that makes it: the first of a person's
 * life.
 */
import { v7 as uuidv7 } from 'uuid';
import type { UserId } from '../src/contracts/user.ts';
import type { ServiceKit } from '../src/platform/lifecycle/service-kit.ts';
import { createTask } from './commit.ts';
import { OWNER, openKit } from './kit.ts';
import type { Options } from './options.ts';
import { createDatabase, type Server } from './postgres.ts';
import { cpuTime, workingIn } from './proc.ts';
import { type Figure, grouped, median, type Row } from './report.ts';
import { Series } from './series.ts';

const WRITERS = 32;
/** Creates a second, and the CPU of one in µs: ours and PostgreSQL's. */
type Sample = { readonly rate: number; readonly node: number; readonly postgres: number };

export async function userRows(server: Server, { rounds, seconds, progress }: Options): Promise<Row[]> {
  const database = await createDatabase(server, 'bench_users');
  const [known, fetched, made] = [new Series<Sample>(), new Series<Sample>(), new Series<Sample>()];
  const measure = async (kit: ServiceKit, next: () => UserId | undefined): Promise<Sample> => {
    const [node, postgres] = [cpuTime([process.pid]), cpuTime(workingIn(server.folder))];
    const end = performance.now() + seconds * 1000;
    const began = performance.now();
    let count = 0;
    const write = async () => {
      for (let by = next(); by !== undefined && performance.now() < end; by = next(), count += 1)
        await createTask(kit, by);
    };
    await Promise.all(Array.from({ length: WRITERS }, write));
    const cost = (before: number, pids: readonly number[]) => (cpuTime(pids) - before) / count;
    return {
      rate: count / ((performance.now() - began) / 1000),
      node: cost(node, [process.pid]),
      postgres: cost(postgres, workingIn(server.folder)),
    };
  };
  const withKit = async <T>(run: (kit: ServiceKit) => Promise<T>): Promise<T> => {
    const kit = await openKit(database);
    return run(kit).finally(kit.close);
  };

  await withKit((kit) => measure(kit, () => OWNER)); // the warm-up
  for (let round = 0; round < rounds; round++) {
    progress(`users: creates of people known, new and known of old, round ${round + 1}`);
    const people: UserId[] = [];
    await withKit(async (kit) => {
      await known.add(() => measure(kit, () => OWNER));
      await made.add(() => measure(kit, () => (people[people.length] = uuidv7() as UserId)));
    });
    await withKit((kit) => fetched.add(() => measure(kit, () => people.pop())));
  }
  const peer = known.cell(figure);
  return [
    { what: 'create by somebody whose key is in the database, at hand', ours: fetched.cell(figure), peer },
    { what: 'create by somebody new, whose key is made, at hand', ours: made.cell(figure), peer },
  ];
}

const figure = (samples: readonly Sample[]): Figure => {
  const [value, node, postgres] = (['rate', 'node', 'postgres'] as const).map((part) =>
    median(samples.map((sample) => sample[part])),
  ) as [number, number, number];
  return { value, text: `${grouped(value)}/s  ${grouped(node)}+${grouped(postgres)} µs`, detail: { node, postgres } };
};
