/** Many writers at once, in this process or in some of their own, and a tally of what they were told. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { handle } from '../../src/platform/commit/command-handler.ts';
import { refusalOf } from '../../src/platform/resilience/refusal.ts';
import type { DatabaseAddress } from '../../src/platform/sql/connection.ts';
import { statement } from '../../src/platform/sql/database.ts';
import { appendTo, commitOf, context, notes, openNotes } from './notes.ts';

export type Job = {
  readonly address: DatabaseAddress;
  /** Commands through the handler, which decides again; commits straight to the executor, which says what it saw. */
  readonly by: 'commands' | 'commits' | 'reservations';
  /** Ids of notes; writer n writes to id n modulo their number. */
  readonly ids: readonly string[];
  readonly writers: number;
  readonly rounds: number;
};
/** How often each outcome was told; an error counts under its name. */
export type Tally = Readonly<Record<string, number>>;

const VERSION = statement('test-version', 'select max(version) as version from event where stream = $1');

/** @public The processes of `inProcesses` import it. */
export const prepareWriters = async ({ address, by, ids, writers, rounds }: Job) => {
  const kit = openNotes(address);
  const { executor } = kit.commands;
  await kit.health();
  await executor.commit(commitOf()); // its connection stands
  const act = {
    commands: async (id: string): Promise<string> =>
      (await handle(kit.commands, notes, id, { type: 'Extend', text: 'more' }, context())).kind,
    commits: async (id: string): Promise<string> => {
      const [row] = await kit.database.read<{ version: number | null }>(VERSION, [`note-${id}`]);
      return (await executor.commit(commitOf(appendTo(`note-${id}`, row?.version ?? 0)))).verdict;
    },
    /** Whoever gets the name checks that it has it alone, and lets go of it. */
    reservations: async (id: string): Promise<string> => {
      const name = { scope: 'name', value: id, holder: `${process.pid}-${Math.random()}` };
      const { verdict } = await executor.commit({
        ...commitOf(appendTo(`note-${crypto.randomUUID()}`, 0)),
        take: [name],
      });
      if (verdict !== 'accepted') return verdict;
      const held = await kit.database.read<{ holder: string }>(HOLDERS, [id]);
      if (held.length !== 1 || held[0]?.holder !== name.holder) return 'taken by two';
      return (await executor.commit({ ...commitOf(), release: [name] })).verdict === 'accepted' ? 'held' : 'kept';
    },
  }[by];
  return {
    run: async (): Promise<Tally> => {
      const told: string[] = [];
      const write = async (n: number) => {
        for (let round = 0; round < rounds; round += 1) {
          told.push(await done(() => act(ids[n % ids.length] ?? '')));
        }
      };
      await Promise.all(Array.from({ length: writers }, (_, n) => write(n)));
      return tallyOf(told);
    },
    close: () => kit.close(),
  };
};
/** Where too many wait for a slow machine, some are told that nothing was done: they come again. */
const done = async (act: () => Promise<string>): Promise<string> => {
  for (;;) {
    try {
      return await act();
    } catch (error) {
      if (refusalOf(error) === 'busy' || refusalOf(error) === 'unavailable') continue;
      return String(error);
    }
  }
};
const HOLDERS = statement('test-holders', `select holder from reservation where scope = 'name' and value = $1`);

/** The same job in some processes of their own, which begin at the same moment. */
export const inProcesses = async (count: number, job: Job): Promise<Tally> => {
  const code = `
    import { createInterface } from 'node:readline';
    import { once } from 'node:events';
    import { prepareWriters } from ${JSON.stringify(import.meta.filename)};
    const writers = await prepareWriters(${JSON.stringify(job)});
    console.log('ready');
    await once(createInterface(process.stdin), 'line');
    console.log(JSON.stringify(await writers.run()));
    await writers.close();
    process.exit(0);`;
  const children = await Promise.all(
    Array.from({ length: count }, async () => {
      const child = spawn(process.execPath, ['--input-type=module-typescript', '--eval', code], {
        cwd: import.meta.dirname,
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
      const line = async () => {
        const { value, done } = await lines.next();
        if (done) throw new Error('a writing process ended early');
        return value;
      };
      await line();
      return { child, line };
    }),
  );
  for (const { child } of children) child.stdin.write('go\n');
  const tallies = await Promise.all(
    children.map(async ({ child, line }): Promise<Tally> => {
      const ended = once(child, 'exit');
      const tally: Tally = JSON.parse(await line());
      await ended;
      return tally;
    }),
  );
  return sumOf(tallies);
};

export const inThisProcess = async (job: Job): Promise<Tally> => {
  const writers = await prepareWriters(job);
  try {
    return await writers.run();
  } finally {
    await writers.close();
  }
};

export const tallyOf = (told: readonly string[]): Tally => sumOf(told.map((outcome) => ({ [outcome]: 1 })));
const sumOf = (tallies: readonly Tally[]): Tally => {
  const sum: Record<string, number> = {};
  for (const tally of tallies)
    for (const [outcome, count] of Object.entries(tally)) sum[outcome] = (sum[outcome] ?? 0) + count;
  return sum;
};
