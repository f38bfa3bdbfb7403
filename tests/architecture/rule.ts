import { type Import, isSyntax, type Source, type Syntax } from './source.ts';

/** A file to plant in front of a rule: its path, and texts of which each is tried alone. */
type Example = readonly [path: string, ...texts: string[]];

export type Rule = {
  readonly name: string;
  readonly applies: (path: string) => boolean;
  /** What breaks the rule, in the words of the code. */
  readonly violations: (file: Source) => readonly string[];
  /** Each text is refused: a rule that was never red may not be looking. */
  readonly red: readonly Example[];
  readonly green: readonly Example[];
};

const isTest = (path: string) => path.startsWith('tests/') || path.endsWith('.test.ts');
export const isCode = (path: string) => path.endsWith('.ts') && !path.startsWith('bench/peers/');
export const isProduct = (path: string) => path.startsWith('src/') && isCode(path) && !isTest(path);
export const isPure = (path: string) =>
  isProduct(path) && (/^src\/services\/[^/]+\/(domain|policies)\//.test(path) || path === 'src/platform/decider.ts');
export const isHttp = (path: string) => /^src\/(platform\/http|services\/[^/]+\/http|gateway)\//.test(path);
export const serviceOf = (path: string) => /^src\/services\/[^/]+\//.exec(path)?.[0];

/** The imports that `allowed` does not allow. */
export const imports = (allowed: (imported: Import, from: string) => boolean) => (file: Source) =>
  file.imports.filter((imported) => !allowed(imported, file.path)).map(({ specifier }) => `imports ${specifier}`);
/** The nodes for which `refused` holds, as they are written. */
export const code = (refused: (node: Syntax, file: Source) => boolean) => (file: Source) =>
  file.syntax
    .filter((node) => refused(node, file))
    .map((node) => written(node, file).replace(/\s+/g, ' ').slice(0, 80));

export const written = (node: Syntax, file: Source) => file.text.slice(node.start, node.end);
export const nameOf = (node: unknown) => (isSyntax(node) ? String(node.name ?? node.value) : '');
