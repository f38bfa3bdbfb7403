/** SQL taken apart as far as it takes to run its statements one by one, and to see what each of them does. */

export type SqlStatement = {
  /** As it was written, without what stands before it, and without its semicolon. */
  readonly text: string;
  /** What it says to the server, on one line in small letters, without comments and without what strings say. */
  readonly bare: string;
  /** The comments before it and in it, a line each. */
  readonly comments: readonly string[];
  /** What stands between dollar quotes: the body of a function, or of a `do`. */
  readonly bodies: readonly string[];
};

const TOKEN =
  /(?<comment>--[^\n]*|\/\*.*?\*\/)|(?<string>\be'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*')|(?<name>"(?:[^"]|"")*")|(?<body>\$(?<tag>[a-z_]*)\$.*?\$\k<tag>\$)|(?<end>;)|./gisy;

/** The statements of a file, in their order. What comes after the last semicolon is one too, unless nothing does. */
export const statementsIn = (sql: string): readonly SqlStatement[] => {
  const found: SqlStatement[] = [];
  let current = opened();
  const close = (): void => {
    const bare = current.bare.replaceAll(/\s+/g, ' ').trim().toLowerCase();
    if (bare !== '' || current.comments.length > 0) found.push({ ...current, text: current.text.trim(), bare });
    current = opened();
  };
  for (const match of sql.matchAll(TOKEN)) {
    const [token] = match;
    const { comment, string, body, end } = match.groups ?? {};
    if (end) {
      close();
      continue;
    }
    if (comment) current.comments.push(...comment.split('\n').map(said));
    if (body) current.bodies.push(body);
    if (!comment || current.text !== '') current.text += token;
    if (string) current.bare += "''";
    else if (body) current.bare += '$$';
    else current.bare += comment ? ' ' : token.replaceAll('"', '');
    if (current.text.trim() === '') current.text = '';
  }
  close();
  return found;
};
const opened = () => ({ text: '', bare: '', comments: [] as string[], bodies: [] as string[] });
const said = (line: string): string => line.replace(/^\s*(--|\/\*|\*)\s?|\*\/$/g, '').trim();

/** The parts between commas that are in no brackets. */
export const partsOf = (bare: string): readonly string[] => {
  const parts = [''];
  let depth = 0;
  for (const sign of bare) {
    if (sign === '(') depth += 1;
    if (sign === ')') depth -= 1;
    if (sign === ',' && depth === 0) parts.push('');
    else parts[parts.length - 1] += sign;
  }
  return parts.map((part) => part.trim());
};

/** Written first in a file whose statements cannot be in a transaction, or must not be in one together. */
const NO_TRANSACTION = /^\s*-- no transaction\b/;
/** Each statement of such a file is a transaction of its own; all of them may be run again when one was broken off. */
export const isWithoutTransaction = (sql: string): boolean => NO_TRANSACTION.test(sql);
