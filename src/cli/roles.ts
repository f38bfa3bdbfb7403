/** taskwire roles: a login for each service, with the rights that it needs. The owner gives them, and none of them is one. */
import { readFile } from 'node:fs/promises';
import { applyLogin, type Login, loginStatements } from '#platform/migrations/logins.ts';
import { loginsOf } from '../installation.ts';
import { say, sayJson, table, UsageError } from './output.ts';
import { withMigratedDatabase } from './with-stores.ts';

type Options = { readonly passwords?: string; readonly json?: boolean };

export const rolesPrint = ({ passwords }: Options): Promise<void> =>
  withLogins(passwords, async (logins) => {
    for (const login of logins) {
      say(`-- on ${serverOf(login)}`, ...loginStatements(login).map((sql) => `${sql};`));
      say(login.password === undefined ? `-- \\password ${login.name}` : '', '');
    }
  });

export const rolesApply = ({ passwords, json }: Options): Promise<void> =>
  withLogins(passwords, async (logins) => {
    for (const login of logins) await applyLogin(login);
    const outcomes = logins.map((login) => ({
      login: login.name,
      on: serverOf(login),
      mayActAs: login.roles,
      password: login.password === undefined ? 'as it was' : 'set',
    }));
    if (json) return sayJson(outcomes);
    const rows = outcomes.map(({ login, on, mayActAs, password }) => [login, on, mayActAs.join(', '), password]);
    say(...table(['LOGIN', 'ON', 'MAY ACT AS', 'PASSWORD'], rows));
  });

const withLogins = async (
  file: string | undefined,
  run: (logins: readonly Login[]) => Promise<void>,
): Promise<void> => {
  const passwords = file === undefined ? new Map<string, string>() : parse(await readFile(file, 'utf8'));
  await withMigratedDatabase(async (config, address) => {
    const logins = loginsOf(config, address);
    const known = [...new Set(logins.map(({ name }) => name))];
    const unknown = [...passwords.keys()].filter((name) => !known.includes(name));
    if (unknown.length > 0)
      throw new UsageError(`there is no login ${unknown.join(', ')}; there are ${known.join(', ')}`);
    await run(logins.map((login) => ({ ...login, password: passwords.get(login.name) })));
  });
};

const LINE = /^(\w+)=([\x20-\x7e]{8,})$/;
const parse = (text: string): ReadonlyMap<string, string> => {
  const lines = text.split(/\r?\n/).map((line, n) => ({ line, number: n + 1 }));
  return new Map(
    lines
      .filter(({ line }) => line.trim() !== '' && !line.startsWith('#'))
      .map(({ line, number }) => {
        const [, name, password] = LINE.exec(line) ?? [];
        if (name === undefined || password === undefined)
          throw new UsageError(
            `line ${number} of the passwords is not login=password, with 8 or more ASCII characters`,
          );
        return [name, password];
      }),
  );
};

const serverOf = ({ address }: Login): string => `${address.host}:${address.port}`;
