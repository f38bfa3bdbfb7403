/** The description of the API and the API agree, whatever is sent: schemathesis asks, over every route, with a token. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { findOnPath, requirement } from '../support/requires.ts';
import { asking, newPerson } from './support/client.ts';
import { productBed, ROOT } from './support/product.ts';

const schemathesis = requirement('schemathesis', 'pipx install schemathesis==4.32.*', () => findOnPath('schemathesis'));
const bed = productBed();
afterEach(bed.clear);

const SEED = process.env.TEST_SEED ?? '7';
const CASES = '40';
/** In place of "every check passed", which is silent about those that never ran. */
type Report = {
  readonly exit_code: number;
  readonly operations: { readonly tested: number; readonly errored: number; readonly skipped: number };
  readonly phases: Readonly<Record<string, { readonly status: string }>>;
  readonly test_cases: { readonly generated: number };
  readonly failures: readonly unknown[];
  readonly warnings: Readonly<Record<string, readonly string[]>>;
};

schemathesis.describe('schemathesis', (executable) => {
  test('finds no answer that the description does not allow', { timeout: 1_000_000 }, async () => {
    const server = await bed.start({ env: { DATA_DIR: await bed.folder() } });
    const { token } = await newPerson(server.url);
    const ask = asking(server.url);
    const { paths } = (await ask('GET', '/openapi.json')).body as { paths: Record<string, Record<string, Operation>> };
    const operations = Object.values(paths).flatMap((path) => Object.values(path));
    // Whom the description's own examples name: with them, the examples log in.
    const { email, username, password } = exampleOf(paths['/api/v1/auth/register']?.post);
    const registered = await ask('POST', '/api/v1/auth/register', { body: { email, username, password } });
    expect(registered.status).toBe(201);

    const folder = await mkdtemp(join(tmpdir(), 'taskwire-fuzz-'));
    try {
      const { output, report } = await run(executable, server.url, token, folder);
      console.log(
        `schemathesis (TEST_SEED=${SEED}): ${operations.length} operations, ${report.test_cases.generated} cases`,
      );
      expect(report.failures, output).toEqual([]);
      expect(report.exit_code, output).toBe(0);
      expect(operations.length).toBeGreaterThan(15);
      expect(report.operations).toMatchObject({ tested: operations.length, errored: 0, skipped: 0 });
      expect(report.phases).toEqual({
        examples: { status: 'success', skip_reason: null },
        coverage: { status: 'success', skip_reason: null },
        fuzzing: { status: 'success', skip_reason: null },
        stateful: { status: 'success', skip_reason: null },
      });
      expect(report.test_cases.generated).toBeGreaterThan(operations.length * 20);
      expect(report.warnings.missing_auth, 'operations that nobody got into').toEqual([]);
      expect(server.output(), 'internal errors are logged').not.toMatch(/internal-error|"level":50/);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

type Operation = {
  readonly requestBody: {
    readonly content: { readonly 'application/json': { readonly schema: { readonly properties: Properties } } };
  };
};
type Properties = Readonly<Record<string, { readonly examples: readonly string[] }>>;
const exampleOf = (operation: Operation | undefined): Record<string, string | undefined> => {
  const { properties } = operation?.requestBody.content['application/json'].schema ?? { properties: {} };
  return Object.fromEntries(Object.entries(properties).map(([name, { examples }]) => [name, examples[0]]));
};

const run = (executable: string, url: string, token: string, folder: string) =>
  new Promise<{ readonly output: string; readonly report: Report }>((resolve, reject) => {
    const file = join(folder, 'report.json');
    const support = join(ROOT, 'tests/e2e/support');
    const args = [
      '--config-file',
      join(support, 'schemathesis.toml'),
      'run',
      `${url}/openapi.json`,
      '--url',
      url,
      '-H',
      `Authorization: Bearer ${token}`,
      '--phases',
      'examples,coverage,fuzzing,stateful',
      '--seed',
      SEED,
      '--max-examples',
      CASES,
      '--continue-on-failure',
      '--generation-allow-x00',
      'false',
      '--generation-codec',
      'utf-8',
      '--report',
      'json',
      '--report-json-path',
      file,
    ];
    const env = { ...process.env, SCHEMATHESIS_HOOKS: join(support, 'schemathesis_hooks.py') };
    execFile(
      executable,
      args,
      { cwd: folder, env, timeout: 900_000, maxBuffer: 64 * 1024 * 1024 },
      (_error, output) => {
        // Its exit code stands in the report; without one it did not get that far.
        readFile(file, 'utf8').then(
          (text) => resolve({ output, report: JSON.parse(text) }),
          () => reject(new Error(`schemathesis wrote no report:\n${output}`)),
        );
      },
    );
  });
