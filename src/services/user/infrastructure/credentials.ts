/** Password hashes: rows of record, written in the commit of the command that changed them. */
import type { UserId } from '#contracts/user.ts';
import type { RowWrite } from '#platform/commit/commit.ts';
import { type Database, statement } from '#platform/sql/database.ts';
import { type UserProfile, userProfileTable } from '../read-models/user-profile.ts';

const INSERT = statement('credential-insert', 'insert into credential (user_id, password_hash) values ($1, $2)');
const REHASH = statement(
  'credential-rehash',
  'update credential set password_hash = $3 where user_id = $1 and password_hash = $2',
);
const BY_EMAIL = statement(
  'credential-by-email',
  `select ${userProfileTable.selected}, password_hash as "passwordHash"
   from reservation r join credential c on c.user_id = r.holder::uuid join user_profile p on p.id = c.user_id
   where r.scope = 'email' and r.value = $1`,
);
const BY_PEPPER = statement(
  'credentials-by-pepper',
  `select split_part(password_hash, '$', 3) as "pepperId", count(*) as count from credential group by 1 order by 1`,
);
const RESERVED = statement(
  'user-reserved',
  `select scope from reservation where (scope = 'email' and value = $1) or (scope = 'username' and value = $2)`,
);

export const newCredential = (userId: UserId, hash: string): RowWrite => ({
  statement: INSERT,
  values: [userId, hash],
  expect: 1,
});
/** The same password under today's scheme. A password that changed meanwhile stays as it is: the commit misses. */
export const rehashedCredential = (userId: UserId, from: string, to: string): RowWrite => ({
  statement: REHASH,
  values: [userId, from, to],
  expect: 1,
});

export type Login = UserProfile & { readonly passwordHash: string };
export const findLogin = async (database: Database, email: string): Promise<Login | undefined> =>
  (await database.read<Login>(BY_EMAIL, [email]))[0];

/** Which of the two somebody has already; the commit decides again, this spares a hash. */
export const findReserved = async (database: Database, email: string, username: string): Promise<readonly string[]> =>
  (await database.read<{ scope: string }>(RESERVED, [email, username])).map(({ scope }) => scope);

/** How many passwords were hashed with each pepper, by the id in their tag (password-hasher.ts). Reads the whole table. */
export const countByPepper = (database: Database) =>
  database.read<{ readonly pepperId: string; readonly count: number }>(BY_PEPPER, []);
