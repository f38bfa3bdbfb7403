/** What a bench finds, and the one table that it prints. */
export interface Figure {
  readonly value: number;
  readonly text: string;
  readonly detail?: Readonly<Record<string, number>>;
}

export interface NotRun {
  readonly notRun: string;
}

export type Cell = Figure | NotRun;

export interface Row {
  readonly what: string;
  readonly ours: Cell;
  readonly peer?: Cell;
  readonly aim?: string | undefined;
}

export const notRun = (reason: unknown): NotRun => ({
  notRun: (reason instanceof Error ? reason.message : String(reason)).replaceAll(/\s+/g, ' ').slice(0, 80),
});

export const grouped = (value: number): string => Math.round(value).toLocaleString('en-US');

export const median = (values: readonly number[]): number => percentile(values, 0.5);

export function percentile(values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.floor(sorted.length * share)] ?? Number.NaN;
}

const isFigure = (cell: Cell | undefined): cell is Figure => cell !== undefined && 'value' in cell;

export const ratio = ({ ours, peer }: Row): number | undefined =>
  isFigure(ours) && isFigure(peer) ? ours.value / peer.value : undefined;

const HEAD = ['what', 'ours', 'peer', 'ratio', 'aim'];

export function table(rows: readonly Row[]): string {
  const lines = [HEAD, ...rows.map(cells)];
  const widths = HEAD.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const [head, ...body] = lines.map((line) => line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '));
  const rule = widths.map((width) => '-'.repeat(width)).join('  ');
  return [head, rule, ...body].map((line) => line?.trimEnd()).join('\n');
}

/** The same for a document. */
export const markdown = (rows: readonly Row[]): string =>
  [HEAD, HEAD.map(() => '---'), ...rows.map(cells)].map((line) => `| ${line.join(' | ')} |`).join('\n');

function cells(row: Row): string[] {
  const times = ratio(row);
  const ratioText = times === undefined ? '–' : `${times.toFixed(2)} ×`;
  return [row.what, textOf(row.ours), textOf(row.peer), ratioText, row.aim ?? '–'];
}

function textOf(cell: Cell | undefined): string {
  if (cell === undefined) return '–';
  return isFigure(cell) ? cell.text : `not run: ${cell.notRun}`;
}
