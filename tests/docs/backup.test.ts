/** A backup as docs/operations.md says to make one, restored on a server that knows nothing of it. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { asking, newPerson, PASSWORD } from '../e2e/support/client.ts';
import { productBed } from '../e2e/support/product.ts';
import { databaseSettings } from '../support/installation.ts';
import { type Postgres15, postgres15, startPostgres15 } from '../support/postgres-15.ts';

const document = readFileSync('docs/operations.md', 'utf8');
const block = (needs: string) => new RegExp(`^\`\`\`sh ${needs}\\n(.*?)^\`\`\`$`, 'ms').exec(document)?.[1] ?? '';

postgres15.describe('with PostgreSQL’s own tools', (bin) => {
  const bed = productBed();
  const servers: Postgres15[] = [];
  afterAll(async () => {
    await bed.clear();
    for (const server of servers) await server.stop();
  });

  test('what is lost with a server is there again on another, personal data included', async () => {
    const data = await bed.folder();
    const settings = ({ address }: Postgres15) => ({
      ...databaseSettings({ address: { ...address, database: 'taskwire' } }),
      DATA_DIR: data,
    });
    const typed = (script: string, server: Postgres15) => {
      const { host, port, user } = server.address;
      const env = {
        ...settings(server),
        PATH: `${bin}:${path.dirname(process.execPath)}:${process.env.PATH}`,
        PGHOST: host,
        PGPORT: String(port),
        PGUSER: user,
      };
      const product = `npx() { node ${path.resolve('bin')}/"$1".js "\${@:2}"; }`;
      return execFileSync('bash', ['-euo', 'pipefail', '-c', `${product}\n${script}`], {
        cwd: path.dirname(data),
        env,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'inherit'],
      });
    };
    const taskwire = async (env: Readonly<Record<string, string>>, ...args: readonly string[]) => {
      const run = bed.taskwire(args, { env });
      const { code } = await run.exit;
      expect(code, run.output()).toBe(0);
      return run.output();
    };
    const start = async () => {
      const server = await startPostgres15(bin);
      servers.push(server);
      return server;
    };

    const first = await start();
    const before = await bed.start({ env: settings(first) });
    const ada = await newPerson(before.url);
    const made = await ada.ask('POST', '/api/v1/tasks', { body: { title: 'Kept' } });
    const task = String(made.headers.get('location'));
    before.signal('SIGTERM');
    await before.exit;
    typed(block('backup'), first);
    const contents = (file: string) => execFileSync(`${bin}/pg_restore`, ['--list', file], { cwd: path.dirname(data) });
    expect(String(contents('taskwire.dump'))).toMatch(/TABLE DATA task_service event /);
    expect(String(contents('taskwire.dump')), 'keys are kept apart').not.toMatch(/ subject_key /);
    expect(String(contents('keys.dump'))).toMatch(/TABLE DATA keys subject_key /);
    expect(String(contents('keys.dump'))).not.toMatch(/_service /);

    const second = await start();
    expect(typed(block('restore'), second)).toContain('task_service: up to date');
    for (const projection of ['task_list', 'mail_list'])
      expect(await taskwire(settings(second), 'projections', 'verify', projection)).toMatch(
        /every row is what its events say/,
      );
    const after = await bed.start({ env: settings(second) });
    const login = await asking(after.url)('POST', '/api/v1/auth/login', {
      body: { email: ada.email, password: PASSWORD },
    });
    expect(login.status).toBe(200);
    const ask = asking(after.url, String(login.body?.accessToken));
    const history = await ask('GET', `${task}/history`);
    expect(JSON.stringify(history.body)).toContain('Kept');
    expect((await ask('POST', '/api/v1/tasks', { body: { title: 'From now on' } })).status).toBe(201);
    const { body } = await ask('GET', '/api/v1/tasks');
    expect(body?.items).toMatchObject([{ title: 'From now on' }, { title: 'Kept' }]);
  });
});
