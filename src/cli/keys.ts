/** taskwire keys: what lies under which secret of MASTER_KEY and PASSWORD_PEPPER, and how the older ones become free. */
import { databaseOf } from '#platform/config/config.ts';
import { type Census, census, type Progress, rewrap } from '#platform/keys/rewrap.ts';
import { secretId, secretsIn } from '#platform/keys/secret-list.ts';
import { killAt } from '#platform/lifecycle/fail-points.ts';
import type { DatabaseAddress } from '#platform/sql/connection.ts';
import { type Database, openDatabase } from '#platform/sql/database.ts';
import { countByPepper } from '#services/user/infrastructure/credentials.ts';
import { USER_SERVICE } from '#services/user/service.ts';
import { whereIs } from '../installation.ts';
import { secretsFor } from '../secrets.ts';
import { createMeter } from './meter.ts';
import { counted, endWithReader, say, sayJson, table } from './output.ts';
import { withMigratedDatabase } from './with-stores.ts';

type AsJson = { readonly json?: boolean };
/** place 1 = the newest, by which what is new is made; null = not given, and what needs it cannot be read. */
type Listed = {
  readonly setting: 'MASTER_KEY' | 'PASSWORD_PEPPER';
  readonly place: number | null;
  readonly id: string | null;
  readonly needed: number;
};

export const keysList = ({ json }: AsJson): Promise<void> => {
  endWithReader();
  return withMigratedDatabase(async (config, address) => {
    const { masterKey, passwordPepper } = await secretsFor(config, address, 'masterKey', 'passwordPepper');
    const inKeys = databaseOf(config, 'KEYS', address);
    const found = await asOwner(inKeys, 'keys', (database) => census({ database, masterKey }));
    const { address: ofUsers } = whereIs(USER_SERVICE, config, address);
    const hashes = await asOwner(ofUsers, USER_SERVICE.schema, countByPepper);
    const listed = [...keysUnder(masterKey, found), ...hashesUnder(passwordPepper, hashes)];
    if (json) return sayJson(listed);
    say(...table(['SETTING', 'SECRET', 'ID', 'NEEDED BY'], listed.map(cellsOf)));
  });
};

const keysUnder = (masterKey: string, { under, none }: Census): readonly Listed[] => {
  const setting = 'MASTER_KEY';
  const given = secretsIn(masterKey).map((secret, n) => ({
    ...({ setting, place: n + 1, id: secretId(secret), needed: under[n] ?? 0 } as const),
  }));
  return none === 0 ? given : [...given, { setting, place: null, id: null, needed: none }];
};

const hashesUnder = (peppers: string, counts: Awaited<ReturnType<typeof countByPepper>>): readonly Listed[] => {
  const setting = 'PASSWORD_PEPPER';
  const ids = secretsIn(peppers).map(secretId);
  const given = ids.map((id, n) => ({
    ...({ setting, place: n + 1, id, needed: counts.find(({ pepperId }) => pepperId === id)?.count ?? 0 } as const),
  }));
  const others = counts.filter(({ pepperId }) => !ids.includes(pepperId));
  return [...given, ...others.map(({ pepperId: id, count }) => ({ setting, place: null, id, needed: count }) as const)];
};

const cellsOf = ({ setting, place, id, needed }: Listed): readonly string[] => {
  const which = place === null ? 'not given' : place === 1 ? '1, makes what is new' : String(place);
  return [setting, which, id ?? 'unknown', counted(needed, setting === 'MASTER_KEY' ? 'key' : 'password')];
};

export const keysRewrap = ({ json }: AsJson): Promise<void> =>
  withMigratedDatabase(async (config, address) => {
    const { masterKey } = await secretsFor(config, address, 'masterKey');
    const meter = createMeter('keys', process.stderr);
    const report = ({ step, keys, total }: Progress) => meter.show({ step, done: keys, total, what: 'key' });
    const failPoint = killAt(config.FAIL_POINT);
    const { wrapped, under, none } = await asOwner(databaseOf(config, 'KEYS', address), 'keys', (database) =>
      rewrap({ database, masterKey, report, failPoint }),
    ).finally(meter.end);
    const [newest = 0, ...older] = under;
    const left = older.reduce((sum, count) => sum + count, 0);
    const already = Math.max(0, newest - wrapped); // some may have been destroyed meanwhile
    if (json) sayJson({ wrapped, already, older: left, none });
    else say(`${counted(wrapped, 'key')} wrapped anew, ${already.toLocaleString('en-US')} were so already`);
    if (none > 0)
      throw new Error(
        `${counted(none, 'key', 'keys')} ${none === 1 ? 'lies' : 'lie'} under none of the secrets in MASTER_KEY: ${GIVE_IT}`,
      );
    if (left > 0) throw new Error(`${counted(left, 'key')} came under an older secret meanwhile: ${RESTART}`);
    if (!json) say('all are under the first secret of MASTER_KEY');
  });
const GIVE_IT = 'put the one that they were wrapped with behind the others, and run this again';
const RESTART = 'restart what does not have the new one first in its MASTER_KEY, and run this again';

/** Whoever owns the tables reads all of them, in whichever service's schema; what takes long is not cut off. */
const asOwner = async <T>(
  address: DatabaseAddress,
  schema: string,
  run: (database: Database) => Promise<T>,
): Promise<T> => {
  const options = { address, schema, statementTimeout: 0, applicationName: 'taskwire keys', connections: 1 };
  const database = openDatabase(options);
  try {
    return await run(database);
  } finally {
    await database.close();
  }
};
