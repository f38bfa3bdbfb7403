/**
 * Who a service logs in as where it shall have no more rights than it needs: a login that owns nothing and may act as the
 * roles that migrations make, and as nobody else. The owner migrates, and is no service's business.
 */
import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { connect, type DatabaseAddress } from '../sql/connection.ts';
import { sessionOn, statement } from '../sql/database.ts';

export type Login = {
  readonly name: string;
  /** Any database of its server, as somebody who may create roles; roles are the same in all of them. */
  readonly address: DatabaseAddress;
  /** Those that it may act as: all that its service needs on this server, and nothing else. */
  readonly roles: readonly string[];
  /** Undefined = the one that it has; a new login without can be used where the server asks for none. */
  readonly password?: string | undefined;
};

/** What no service needs. It is not taken away: whoever gave it meant somebody else. */
const EXCESS = 'rolsuper or rolcreaterole or rolcreatedb or rolbypassrls or rolreplication';
const tooMuch = (name: string): string => `${name} may do more on this server than a service needs: drop it first`;
const HAS_EXCESS = statement('login-excess', `select from pg_roles where rolname = $1 and (${EXCESS})`);

/** SQL that makes the login what it shall be, whatever it was. It holds no password, only what a server keeps of one. */
export const loginStatements = ({ name, roles, password }: Login): readonly string[] => [
  `do $do$ declare other text; begin
  if not exists (select from pg_roles where rolname = '${name}') then create role ${name}; end if;
  if exists (select from pg_roles where rolname = '${name}' and (${EXCESS})) then
    raise exception '${tooMuch(name)}';
  end if;
  for other in select r.rolname from pg_auth_members m join pg_roles r on r.oid = m.roleid
    where m.member = '${name}'::regrole and r.rolname not in (${roles.map((role) => `'${role}'`).join(', ')})
  loop execute format('revoke %I from ${name}', other); end loop;
end $do$`,
  `alter role ${name} login inherit${password === undefined ? '' : ` password '${verifierOf(password)}'`}`,
  // Whatever connects by it: a transaction that is left open would hold every feed of the server back.
  `alter role ${name} set idle_in_transaction_session_timeout = '5s'`,
  `grant ${roles.join(', ')} to ${name}`,
];

/**
 * All of it or nothing; twice is once. Rejects where the address may not create roles, or a role was not migrated yet;
 * throws for a login that may do more than any service needs.
 */
export const applyLogin = async (login: Login): Promise<void> => {
  const { address } = login;
  const options = { schema: 'public', statementTimeout: 10_000, applicationName: 'taskwire roles' };
  const session = sessionOn(await connect({ ...options, address }));
  try {
    const { rows } = await session.query(HAS_EXCESS, [login.name]);
    if (rows.length > 0) throw new Error(tooMuch(login.name));
    await session.query('begin');
    for (const sql of loginStatements(login)) await session.query(sql);
    await session.query('commit');
  } finally {
    await session.close();
  }
};

const ROUNDS = 4_096;
/** What the server keeps of a password (SCRAM-SHA-256), made here: a password in SQL would lie in its log. */
const verifierOf = (password: string): string => {
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(password, salt, ROUNDS, 32, 'sha256');
  const hmac = (text: string) => createHmac('sha256', salted).update(text).digest();
  const stored = createHash('sha256').update(hmac('Client Key')).digest('base64');
  return `SCRAM-SHA-256$${ROUNDS}:${salt.toString('base64')}$${stored}:${hmac('Server Key').toString('base64')}`;
};
