/**
 * What a migration must not do to a table that may be large: rewrite it, read all of it while nobody else may write, or
 * make every feed of the server wait. Each rule says what happens and how the same is had without it; who knows better
 * writes `-- allow <rule>: <reason>` above the statement. Tables that the file itself makes are empty, and anything goes.
 */
import { brokenBy, type Memory, remember } from './hazard-rules.ts';
import { isWithoutTransaction, type SqlStatement, statementsIn } from './statements.ts';

export type MigrationFile = { readonly name: string; readonly sql: string };
export type Hazard = {
  readonly file: string;
  readonly rule: string;
  /** The statement, as far as it takes to find it. */
  readonly statement: string;
  /** What it does, and how the same is had without that. */
  readonly why: string;
};

/**
 * The hazards of a schema's migrations, file by file in the order in which they are applied: what one of them has made
 * sure of holds in the next.
 */
export const hazardsIn = (files: readonly MigrationFile[]): readonly Hazard[] => {
  const checks = new Map<string, string>();
  const filled = new Set<string>();
  return files.flatMap(({ name, sql }) => {
    const memory: Memory = { alone: isWithoutTransaction(sql), made: new Set(), added: new Set(), checks, filled };
    return statementsIn(sql).flatMap((statement) => {
      const allowed = allowedBy(statement);
      const broken = brokenBy(statement, memory).filter(([rule]) => !allowed.has(rule));
      remember(statement, memory);
      return broken.map(([rule, why]) => ({ file: name, rule, statement: shortened(statement), why }));
    });
  });
};

/** The reason is not read, but must be there. */
const ALLOW = /^allow ([a-z-]+): \S.{9,}/;
const allowedBy = ({ comments }: SqlStatement): ReadonlySet<string> =>
  new Set(comments.flatMap((line) => ALLOW.exec(line)?.[1] ?? []));

const shortened = ({ text, comments }: SqlStatement): string => {
  const line = (text || comments.join(' ')).replaceAll(/\s+/g, ' ');
  return line.length > 100 ? `${line.slice(0, 99)}…` : line;
};
