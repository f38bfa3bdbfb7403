import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { parseAst } from 'vitest/node';

/** A node of the syntax tree. */
export type Syntax = {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [field: string]: unknown;
};

/** An import or re-export, static or dynamic. */
export type Import = {
  readonly specifier: string;
  /** A path of this repository (`src/platform/decider.ts`) or a package's name (`@fastify/helmet`, `node:fs`). */
  readonly target: string;
  /** Gone when the code runs. */
  readonly typeOnly: boolean;
};

export type Source = {
  readonly path: string;
  readonly text: string;
  readonly imports: readonly Import[];
  /** Every node but the names of properties, so that an identifier in here stands for a value or a type. */
  readonly syntax: readonly Syntax[];
};

/** Every file that git keeps or would keep. */
export const repository = (): readonly Source[] =>
  execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { encoding: 'utf8' })
    .split('\0')
    .filter((path) => path !== '' && existsSync(path))
    .map((path) => source(path, readFileSync(path, 'utf8')));

export const source = (path: string, text: string): Source => {
  const syntax = path.endsWith('.ts') ? parseAst(text, { lang: 'ts' }, path).body.flatMap(nodesWithin) : [];
  return { path, text, syntax, imports: syntax.flatMap((node) => importOf(path, node)) };
};

export const isSyntax = (value: unknown): value is Syntax =>
  typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';

const nodesWithin = (value: unknown): readonly Syntax[] => {
  if (Array.isArray(value)) return value.flatMap(nodesWithin);
  if (!isSyntax(value)) return [];
  const isName = (field: string) => (field === 'property' || field === 'key') && !value.computed;
  return [value, ...Object.keys(value).flatMap((field) => (isName(field) ? [] : nodesWithin(value[field])))];
};

const importOf = (path: string, node: Syntax): readonly Import[] => {
  if (!/^(ImportDeclaration|ImportExpression|TSImportType|Export(All|Named)Declaration)$/.test(node.type)) return [];
  if (!isSyntax(node.source) || typeof node.source.value !== 'string') return [];
  const specifier = node.source.value;
  return [{ specifier, target: targetOf(path, specifier), typeOnly: isTypeOnly(node) }];
};

const targetOf = (path: string, specifier: string): string => {
  if (specifier.startsWith('.')) return posix.join(posix.dirname(path), specifier);
  if (specifier.startsWith('#')) return specifier.replace('#', 'src/');
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
};

const isTypeOnly = (node: Syntax): boolean => {
  const marked = ({ type, importKind, exportKind }: Syntax) =>
    type === 'TSImportType' || importKind === 'type' || exportKind === 'type';
  const names = Array.isArray(node.specifiers) ? node.specifiers.filter(isSyntax) : [];
  return marked(node) || (names.length > 0 && names.every(marked));
};
