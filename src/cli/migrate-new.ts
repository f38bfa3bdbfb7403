/** Migrations while they are written. What they come to is seen on a database that is made for it, and thrown away. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startEmbeddedPostgres } from '#platform/embedded/postgres.ts';
import { compareTables } from '#platform/migrations/compare.ts';
import { type Difference, NOTHING, withDrops } from '#platform/migrations/difference.ts';
import { draftsOf, emptyDraft, nextNumber, writeDrafts } from '#platform/migrations/draft.ts';
import { type Hazard, hazardsIn } from '#platform/migrations/hazards.ts';
import { filesOf } from '#platform/migrations/migrate.ts';
import type { DatabaseAddress } from '#platform/sql/connection.ts';
import { declarations, migrationFolders } from '../installation.ts';
import { counted, say, UsageError } from './output.ts';

type Wanted = {
  readonly service: string;
  readonly message: string;
  readonly autogenerate?: boolean;
  readonly drop?: boolean;
};

export const migrateNew = async ({ service, message, autogenerate, drop }: Wanted): Promise<void> => {
  const declaring = declarations().find((one) => one.service === service);
  if (declaring === undefined) throw new UsageError(`there is no service ${service}`);
  if (drop && !autogenerate) throw new UsageError('--drop is for --autogenerate alone');
  const { folder } = declaring;
  const at = { number: await nextNumber(folder), message };
  const empty = autogenerate ? undefined : emptyDraft(at);
  if (empty) return say(...(await writeDrafts(folder, [empty])).map(relative));

  const found = await onScratch((address) => compareTables(declaring, address));
  if (found.undecided.length > 0) throw new Error(`nothing was written:\n  ${found.undecided.join('\n  ')}`);
  const drafts = draftsOf(drop ? withDrops(found) : found, at);
  say(...(await writeDrafts(folder, drafts)).map(relative));
  if (drafts.length === 0) say(`nothing to do: the migrations of ${service} make what its code declares`);
  if (!drop) say(...found.leftovers.map(({ what }) => `${what} is not declared, and stays; --drop drops it`));
};

export const migrateCheck = async (): Promise<void> => {
  const hazards = (await Promise.all(migrationFolders().map(hazardsOf))).flat();
  const differences = await onScratch(async (address) => {
    const found: Difference[] = [];
    for (const declaring of declarations()) {
      found.push(await compareTables(declaring, { ...address, database: `scratch_${declaring.service}` }));
    }
    return found;
  });
  const faults = [
    ...new Set(hazards.map(({ file, rule, statement, why }) => `${file}: ${statement}\n  ${rule}: ${why}`)),
    ...declarations().flatMap(({ service }, n) => faultsOf(service, differences[n] ?? NOTHING)),
  ];
  say(...faults);
  for (const { leftovers } of differences)
    say(...leftovers.map(({ what }) => `${what} is not declared, and does no harm`));
  if (faults.length > 0) throw new Error(`${counted(faults.length, 'fault')} in the migrations`);
  say('the migrations make what is declared, and none of them locks or rewrites a large table');
};
const faultsOf = (service: string, { together, alone, undecided }: Difference): readonly string[] => [
  ...undecided,
  ...[...together, ...alone].map((sql) => `${service}: no migration does what is declared: ${sql}`),
];
const hazardsOf = async (folders: readonly string[]): Promise<readonly Hazard[]> =>
  hazardsIn(await filesOf({ folders }));

/** A server of our own, so that nobody's data and nobody's rights are in the way. */
const onScratch = async <T>(run: (address: DatabaseAddress) => Promise<T>): Promise<T> => {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'taskwire-scratch-'));
  try {
    const server = await startEmbeddedPostgres({ dataDir, report: () => undefined, settings: { fsync: 'off' } });
    try {
      return await run({ ...server.connection, database: 'scratch' });
    } finally {
      await server.stop();
    }
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
};

const relative = (file: string): string => path.relative(process.cwd(), file);
