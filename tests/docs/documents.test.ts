/** What documents say of the repository is so: links, paths, dependencies, words, settings, promises. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { Environment } from '../../src/platform/config/schema.ts';
import { SCENARIOS } from '../guarantees/scenarios/index.ts';
import { linksIn, pathsIn, rowsIn, spansIn } from './console.ts';

const text = (file: string) => readFileSync(file, 'utf8');
const documents = [...globSync('*.md'), ...globSync('docs/**/*.md')];
const sources = globSync('src/**/*.{ts,sql}').filter((file) => !file.endsWith('.test.ts'));

test('the documents are found', () => {
  expect(documents).toEqual(expect.arrayContaining(['README.md', 'docs/architecture.md', 'docs/adr/README.md']));
  expect(documents.length).toBeGreaterThan(15);
});

describe.each(documents)('%s', (document) => {
  test('leads nowhere that is not there', () => {
    const targets = linksIn(text(document)).map((link) => path.join(path.dirname(document), link));
    expect([...targets, ...pathsIn(text(document))].filter((target) => !existsSync(target))).toEqual([]);
  });
});

test('every document is reached from the README', () => {
  const reached = new Set(['README.md']);
  for (const document of reached) {
    for (const link of linksIn(text(document))) {
      const target = path.join(path.dirname(document), link);
      const page = existsSync(path.join(target, 'README.md')) ? path.join(target, 'README.md') : target;
      if (page.endsWith('.md')) reached.add(path.normalize(page));
    }
  }
  expect(documents.filter((document) => !reached.has(document))).toEqual([]);
});

test('docs/dependencies.md names each dependency of package.json, and no other', () => {
  const { dependencies, devDependencies, optionalDependencies } = JSON.parse(text('package.json'));
  const used = Object.keys({ ...dependencies, ...devDependencies, ...optionalDependencies });
  const named = rowsIn(text('docs/dependencies.md')).flatMap(([first = '']) => spansIn(first));
  expect(named.length).toBeGreaterThan(20);
  expect(named.toSorted()).toEqual(used.toSorted());
});

test('docs/dependencies.md tells the licence of each', () => {
  const wrong = rowsIn(text('docs/dependencies.md')).flatMap(([name = '', , told = '']) => {
    const manifest = `node_modules/${spansIn(name)[0]}/package.json`;
    const licence = existsSync(manifest) ? JSON.parse(text(manifest)).license : undefined;
    return licence === undefined || told.startsWith(licence) ? [] : [`${name}: ${licence}`];
  });
  expect(wrong).toEqual([]);
});

test('every word that docs/glossary.md marks as code is in src', () => {
  const words = rowsIn(text('docs/glossary.md')).flatMap((cells) => spansIn(cells.at(-1) ?? ''));
  expect(words.length).toBeGreaterThan(50);
  const code = sources.map(text).join('\n');
  expect(words.filter((word) => !new RegExp(`\\b${word}\\b`).test(code))).toEqual([]);
});

test('a word has one entry in docs/glossary.md', () => {
  const words = rowsIn(text('docs/glossary.md')).map(([word]) => word);
  expect(words.filter((word, n) => words.indexOf(word) !== n)).toEqual([]);
});

type Setting = { readonly description?: string; readonly default?: unknown; readonly enum?: readonly string[] };

test('.env.example is what the schema says; npm test -- tests/docs -u writes it anew', async () => {
  const settings: Readonly<Record<string, Setting>> = JSON.parse(JSON.stringify(Environment.properties));
  const lines = Object.entries(settings).map(([name, { description, default: fallback, enum: words }]) => {
    const choice = words ? ` (${words.join(', ')})` : '';
    return `# ${description}${choice}\n# ${name}=${fallback ?? ''}\n`;
  });
  const head =
    '# Every setting, with its default. Copy this file to .env and change what you need; the environment wins.\n';
  await expect([head, ...lines].join('\n')).toMatchFileSnapshot('../../.env.example');
});

test('every setting that a document names exists', () => {
  const known = Object.keys(Environment.properties);
  const named = documents.flatMap((document) =>
    spansIn(text(document)).filter((span) => /^[A-Z]+(_[A-Z]+)+$/.test(span)),
  );
  expect(named.length).toBeGreaterThan(10);
  const others = [...new Set(named)].filter((name) => !known.includes(name));
  const code = [...sources, ...globSync('*compose*.y*ml')].map(text).join('\n');
  expect(others.filter((name) => !new RegExp(`\\b${name}\\b`).test(code))).toEqual([]);
});

/** The titles that a test file gives, as they are written; a scenario and its controls have names. */
const titlesIn = (file: string): readonly string[] =>
  [
    ...text(file).matchAll(
      /\b(?:test|it|describe|scenario|control|naiveServer|naiveMailer)\b[^'"`]*?\(\s*(['"`])((?:\\.|(?!\1).)*)\1/gs,
    ),
  ].map(([, , title = '']) => title);

describe('docs/guarantees.md', () => {
  const promises = rowsIn(text('docs/guarantees.md'));
  const proofs = promises.flatMap(([promise = '', proof = '']) =>
    proof.split('<br>').map((one) => {
      const [, file = '', title = ''] = /^`([^`]+)` › (.+)$/.exec(one.trim()) ?? [];
      return { promise, file, title: title.replaceAll('\\|', '|') };
    }),
  );

  test('names every scenario', () => {
    const named = proofs.map(({ title }) => title);
    expect(SCENARIOS.length).toBeGreaterThan(5);
    expect(SCENARIOS.map(({ name }) => name).filter((name) => !named.includes(name))).toEqual([]);
  });
  test('makes promises', () => expect(promises.length).toBeGreaterThan(10));
  test('names a test for each, and the test exists', () => {
    const titles = new Map(proofs.map(({ file }) => [file, existsSync(file) ? titlesIn(file) : []]));
    expect(proofs.filter(({ file, title }) => !titles.get(file)?.includes(title))).toEqual([]);
  });
  test('names tests that are run', () => {
    const run = globSync('{src,tests}/**/*.test.ts');
    const suites = [...new Set(proofs.map(({ file }) => file))].filter((file) => !run.includes(file));
    // A suite in a file of its own is run by the test beside it that imports it; a scenario by its list alone.
    const imported = [...run, 'tests/guarantees/scenarios/index.ts'].map(text).join('\n');
    expect(suites.filter((file) => !imported.includes(path.basename(file)))).toEqual([]);
  });
});
