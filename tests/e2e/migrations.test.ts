/** Migrations as somebody writes them who changes a table: in a copy of the product, for they become files of it. */
import { cp, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { productBedPerTest, ROOT } from './support/product.ts';

const bed = productBedPerTest();
const MIGRATIONS = 'src/services/task/migrations';
const TABLE = 'src/services/task/read-models/task-list.ts';

const migrate = async (args: readonly string[], root = ROOT) => {
  const run = bed.taskwire(['migrate', ...args], { root, env: { DATA_DIR: await bed.folder() } });
  const { code } = await run.exit;
  return { code, output: run.output() };
};
const copyOfProduct = async (): Promise<string> => {
  const root = await bed.folder('taskwire');
  await mkdir(root, { recursive: true });
  for (const part of ['src', 'bin', 'package.json']) await cp(join(ROOT, part), join(root, part), { recursive: true });
  await symlink(join(ROOT, 'node_modules'), join(root, 'node_modules'));
  return root;
};
const edit = async (root: string, file: string, from: string, to: string): Promise<void> => {
  const text = await readFile(join(root, file), 'utf8');
  if (!text.includes(from)) throw new Error(`${file} does not say ${from}`);
  await writeFile(join(root, file), text.replace(from, to));
};

describe('of this release', () => {
  test('the migrations make what the code declares, and none of them is a hazard', async () => {
    const { code, output } = await migrate(['check']);
    expect(output).toBe('the migrations make what is declared, and none of them locks or rewrites a large table\n');
    expect(code).toBe(0);
  });
  test('autogenerate has nothing to do, and writes no file', async () => {
    const before = await readdir(join(ROOT, MIGRATIONS));
    const { code, output } = await migrate(['new', '--service', 'task', '--autogenerate', '-m', 'nothing at all']);
    expect(output).toBe('nothing to do: the migrations of task make what its code declares\n');
    expect(code).toBe(0);
    expect(await readdir(join(ROOT, MIGRATIONS))).toEqual(before);
  });
});

test('a new column is declared, missed by the check, written, and then there', async () => {
  const root = await copyOfProduct();
  await edit(
    root,
    TABLE,
    '  title: orNull(text<TaskTitle>()),',
    '  title: orNull(text<TaskTitle>()),\n  estimate: orNull(integer()),',
  );
  const missed = await migrate(['check'], root);
  expect(missed).toMatchObject({ code: 1 });
  expect(missed.output).toContain(
    'task: no migration does what is declared: alter table task_list add column estimate integer',
  );
  const written = await migrate(['new', '--service', 'task', '--autogenerate', '-m', 'How long it takes'], root);
  expect(written).toEqual({ code: 0, output: `${MIGRATIONS}/003_how_long_it_takes.sql\n` });
  expect(await readFile(join(root, MIGRATIONS, '003_how_long_it_takes.sql'), 'utf8')).toBe(
    '-- How long it takes\nalter table task_list add column estimate integer;\n',
  );
});

test('what nobody can decide for a person, and what would lock a large table, ends with 1', async () => {
  const root = await copyOfProduct();
  await edit(root, TABLE, '  title: orNull(text<TaskTitle>()),', '  title: orNull(integer<TaskTitle>()),');
  const refused = await migrate(['new', '--service', 'task', '--autogenerate', '-m', 'Titles as numbers'], root);
  expect(refused).toMatchObject({ code: 1 });
  expect(refused.output).toMatch(
    /nothing was written:\n {2}title of task_list is text collate "C" and shall be integer/,
  );
  const empty = await migrate(['new', '--service', 'task', '-m', 'By hand'], root);
  expect(empty).toEqual({ code: 0, output: `${MIGRATIONS}/003_by_hand.sql\n` });
  await writeFile(join(root, MIGRATIONS, '003_by_hand.sql'), 'create index task_list_status on task_list (status);\n');
  const locked = await migrate(['check'], root);
  expect(locked).toMatchObject({ code: 1 });
  expect(locked.output).toMatch(/task\/003_by_hand: create index .*\n {2}index-not-concurrent: keeps writers out/);
});

test.each([
  { args: ['new', '--service', 'task'], says: /required option '-m, --message <words>' not specified/ },
  { args: ['new', '--service', 'shop', '-m', 'x'], says: /Allowed choices are user, task, notification/ },
  { args: ['new', '--service', 'task', '-m', 'x', '--drop'], says: /--drop is for --autogenerate alone/ },
])('taskwire migrate $args is refused with what is wrong', async ({ args, says }) => {
  const { code, output } = await migrate(args);
  expect(output).toMatch(says);
  expect(code).toBe(2);
});
