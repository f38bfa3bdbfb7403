import { existsSync } from 'node:fs';
import { posix } from 'node:path';
import { code, imports, isCode, isHttp, isProduct, isPure, nameOf, type Rule, written } from './rule.ts';
import { isSyntax, type Source, type Syntax } from './source.ts';

/** A comment stands before it, on its line or the one above. */
const isExplained = ({ start }: Syntax, { text }: Source) =>
  text
    .slice(0, start)
    .split('\n')
    .slice(-2)
    .some((line) => /\/\/|\*\//.test(line));
const isStatus = (node: unknown) => isSyntax(node) && Number(node.value) >= 100 && Number(node.value) < 600;

const IMPURE = ['Date', 'performance', 'crypto', 'process', 'console', 'fetch', 'globalThis'];
/** Of Temporal, a calendar otherwise, whatever it was imported as. */
const TEMPORAL_CLOCK = 'Now';
const SCHEDULING = ['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask'];
const SQL = /^\s*(select\s.+\sfrom\s|insert\s+into\s|update\s.+\sset\s|delete\s+from\s|with\s.+\sas\s*\()/is;
/** Relative paths that lead upwards, and paths in somebody's home. */
const UPWARDS = /(?<![\w./\\$}])(?:\.\.\/)+[\w@./-]*[\w/]/g;
const SOMEBODYS = /(?<![\w.])\/(?:home|Users)\/[\w.-]+/g;

export const codeRules: readonly Rule[] = [
  {
    name: 'domain and policies know no clock, ids, randomness or I/O',
    applies: isPure,
    violations: code(
      (node, file) =>
        (node.type === 'Identifier' && [...IMPURE, ...SCHEDULING].includes(nameOf(node))) ||
        (node.type === 'MemberExpression' && nameOf(node.property) === TEMPORAL_CLOCK) ||
        (node.type === 'Property' && nameOf(node.key) === TEMPORAL_CLOCK) ||
        (node.type === 'MemberExpression' && written(node, file) === 'Math.random'),
    ),
    red: [
      [
        'src/services/task/domain/task.ts',
        `const now = Date.now();`,
        `const now = new Date();`,
        `const now = Temporal.Now.instant();`,
        `const now = Calendar['Now'].instant();`,
        `const { Now: clock } = Temporal;`,
        `const dice = () => Math.random();`,
        `const id = crypto.randomUUID();`,
        `const mode = process.env.MODE;`,
        `setTimeout(() => {}, 1);`,
        `const answer = await fetch('http://localhost');`,
      ],
    ],
    green: [
      [
        'src/services/task/domain/task.ts',
        `// Date.now() is not for us
         const end = Temporal.PlainDate.from(date).add({ days: 1 });
         const half = Math.round(data.process / 2); const text = 'new Date()'; const field = { fetch: 1 };`,
      ],
    ],
  },
  {
    name: 'the environment is read by the configuration alone',
    applies: (path) => isProduct(path) && !path.startsWith('src/platform/config/'),
    violations: (file) => [
      ...code((node) => node.type === 'MemberExpression' && /^process\??\.env$/.test(written(node, file)))(file),
      ...imports(({ target }) => target !== 'node:process' && target !== 'process')(file),
    ],
    red: [
      [
        'src/services/task/service.ts',
        `const port = process.env.PORT;`,
        `const { PORT } = process.env;`,
        `import { env } from 'node:process';`,
      ],
    ],
    green: [['src/services/task/service.ts', `process.on('SIGTERM', stop); // not process.env`]],
  },
  {
    name: 'status codes are known in http folders alone',
    applies: (path) => isProduct(path) && !isHttp(path),
    violations: code((node) => {
      if (node.type === 'Property') return /^(status|statusCode)$/.test(nameOf(node.key)) && isStatus(node.value);
      if (node.type !== 'CallExpression' || !isSyntax(node.callee) || !Array.isArray(node.arguments)) return false;
      return /^(code|status)$/.test(nameOf(node.callee.property)) && isStatus(node.arguments[0]);
    }),
    red: [
      [
        'src/services/task/application/create.ts',
        `const problem = { status: 404, title: 'gone' };`,
        `reply.code(503).send();`,
        `const answer = { 'statusCode': 200 };`,
      ],
    ],
    green: [
      ['src/services/task/application/create.ts', `const task = { status: 'open', limit: 200 }; exitWith.code(1);`],
    ],
  },
  {
    name: 'SQL lies in the platform, read models and infrastructure',
    applies: (path) =>
      isProduct(path) &&
      !path.startsWith('src/platform/') &&
      !/^src\/services\/[^/]+\/(read-models|infrastructure)\//.test(path),
    violations: code(
      (node, file) =>
        /^(Literal|TemplateLiteral)$/.test(node.type) && SQL.test(written(node, file).replace(/^['"`]/, '')),
    ),
    red: [
      [
        'src/services/task/application/create.ts',
        'sql(`select * from task where id = 1`);',
        `sql('INSERT INTO task values ($1)');`,
        'sql(`\n  update task\n  set title = $1`);',
        `sql('delete from task');`,
        `sql('with due as (select 1) select 2');`,
      ],
    ],
    green: [['src/services/task/application/create.ts', `const hint = 'Choose a task and select one from the list';`]],
  },
  {
    name: 'types are not argued with: no any, no "as unknown as", no "!"; in the platform only with a comment',
    applies: isCode,
    violations: code((node, file) => {
      const evades =
        node.type === 'TSAnyKeyword' ||
        node.type === 'TSNonNullExpression' ||
        (node.type === 'TSAsExpression' && isSyntax(node.expression) && node.expression.type === 'TSAsExpression');
      return evades && !(file.path.startsWith('src/platform/') && isExplained(node, file));
    }),
    red: [
      [
        'src/services/task/service.ts',
        `const parse = (text: string): any => JSON.parse(text);`,
        `const id = 'x' as unknown as TaskId;`,
        `const first = rows[0]!;`,
        `// because
         const first = rows[0]!;`,
      ],
      ['src/platform/sql/database.ts', `const id = 'x' as unknown as TaskId;`],
    ],
    green: [
      ['src/services/task/service.ts', `const any = 'any!'; const id = 'x' as TaskId; const open = !closed;`],
      [
        'src/platform/sql/database.ts',
        `// The driver's types lack what it does.
         const client = pool as unknown as Pipelined;`,
      ],
    ],
  },
  {
    name: 'only syntax that erases: no enum, decorator, parameter property or namespace',
    applies: isCode,
    violations: code(
      ({ type, kind }) => /^(TSEnumDeclaration|Decorator|TSParameterProperty)$/.test(type) || kind === 'namespace',
    ),
    red: [
      [
        'src/services/task/service.ts',
        `enum Status { Open }`,
        `@injectable() export class Tasks {}`,
        `class Tasks { constructor(private readonly store: Store) {} }`,
        `namespace Tasks { export const one = 1; }`,
      ],
    ],
    green: [
      ['src/services/task/service.ts', `const enumeration = { open: 'decorator' } as const;`],
      ['src/platform/http/trace.ts', `declare module 'fastify' { interface FastifyRequest { trace: string } }`],
    ],
  },
  {
    name: 'a class is an error, or in the platform a resource; none inherits from another class',
    applies: isProduct,
    violations: code((node, file) => {
      if (node.type !== 'ClassDeclaration' && node.type !== 'ClassExpression') return false;
      if (isSyntax(node.superClass)) return !/^\w*Error$/.test(nameOf(node.superClass));
      return !file.path.startsWith('src/platform/');
    }),
    red: [
      ['src/services/task/service.ts', `class TaskService {}`, `const make = () => class extends Base {};`],
      ['src/platform/sql/database.ts', `class Database extends Resource {}`],
    ],
    green: [
      ['src/services/task/service.ts', `class Unreachable extends Error {}`],
      ['src/platform/sql/database.ts', `class Database {}`],
    ],
  },
  {
    name: 'no test is left out: what a machine may lack goes through tests/support/requires.ts',
    applies: (path) => path.endsWith('.test.ts'),
    violations: code(
      (node) =>
        (node.type === 'MemberExpression' && /^(skip|only|todo|skipIf|runIf)$/.test(nameOf(node.property))) ||
        (node.type === 'CallExpression' && /^(skip|xit|xtest|xdescribe)$/.test(nameOf(node.callee))),
    ),
    red: [
      [
        'src/platform/sql/database.test.ts',
        `test.skip('later', () => {});`,
        `describe.only('this', () => {});`,
        `it.todo('write me');`,
        `test.concurrent.skipIf(slow)('x', () => {});`,
        `test('x', (context) => context.skip());`,
        `test('x', ({ skip }) => skip('not here'));`,
      ],
    ],
    green: [['src/platform/sql/database.test.ts', `test('skips what was seen', () => { expect(only).toBe(1); });`]],
  },
  {
    name: 'a file has one subject: at most 350 lines',
    applies: isProduct,
    violations: ({ text }) => {
      const lines = text.trimEnd().split('\n').length;
      return lines > 350 ? [`has ${lines} lines`] : [];
    },
    red: [['src/platform/sql/database.ts', '// line\n'.repeat(351)]],
    green: [['src/platform/sql/database.ts', '// line\n'.repeat(350)]],
  },
  {
    name: 'no literal is spread into another: its members are, under the eyes of the compiler',
    applies: isCode,
    violations: code(
      ({ type, argument }) =>
        type === 'SpreadElement' && isSyntax(argument) && /^(Object|Array)Expression$/.test(argument.type),
    ),
    red: [['src/main.ts', `const task = { ...{ id, title }, done };`, `const names = [...['ada', 'bea'], 'cai'];`]],
    green: [
      [
        'src/main.ts',
        `const task = { ...other, ...(late && { due }), tags: [...tags, ...(urgent ? ['urgent'] : [])] };`,
      ],
    ],
  },
  {
    name: 'the repository stands alone: no path in a text leaves it, or leads to nothing',
    applies: (path) => !path.startsWith('tests/'), // which make paths up
    violations: ({ path, text }) => [
      ...(text.match(UPWARDS) ?? []).filter((to) => {
        const target = posix.join(posix.dirname(path), to);
        return target.startsWith('..') || !existsSync(target);
      }),
      ...(text.match(SOMEBODYS) ?? []),
    ],
    red: [
      ['README.md', 'See ../elsewhere/notes.md.'],
      ['docs/glossary.md', 'See ../elsewhere/notes.md.', 'See [the plan](../../elsewhere/notes.md).'],
      ['src/main.ts', '// /home/ada/notes.md says more', `import '../../elsewhere/notes.ts';`],
    ],
    green: [
      ['docs/glossary.md', 'What the services share lies in [contracts](../src/contracts), and nowhere else ...'],
      ['src/services/task/events.ts', `import type { TaskId } from '../../contracts/task.ts';`],
    ],
  },
];
