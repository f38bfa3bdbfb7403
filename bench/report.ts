/** What a bench finds, and the one table it prints. */
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
  readonly aim?: string;
}

export const notRun = (reason: unknown): NotRun => ({
  notRun: reason instanceof Error ? reason.message : String(reason),
});

const isFigure = (cell: Cell | undefined): cell is Figure => cell !== undefined && 'value' in cell;

export const grouped = (value: number): string => Math.round(value).toLocaleString('en-US');

export const perSecond = (value: number): Figure => ({ value, text: `${grouped(value)}/s` });

export const median = (values: readonly number[]): number => percentile(values, 0.5);

export function percentile(values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export const ratio = ({ ours, peer }: Row): number | undefined =>
  isFigure(ours) && isFigure(peer) ? ours.value / peer.value : undefined;

export function table(rows: readonly Row[]): string {
  const lines = [['what', 'ours', 'peer', 'ratio', 'aim'], ...rows.map(cells)];
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const text = lines.map((line) => line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '));
  const rule = widths.map((width) => '-'.repeat(width)).join('  ');
  return [text[0], rule, ...text.slice(1)].map((line) => line?.trimEnd()).join('\n');
}

const cells = (row: Row): string[] => [
  row.what,
  textOf(row.ours),
  textOf(row.peer),
  ratio(row)?.toFixed(2).concat(' ×') ?? '–',
  row.aim ?? '–',
];

function textOf(cell: Cell | undefined): string {
  if (cell === undefined) return '–';
  return isFigure(cell) ? cell.text : `not run: ${cell.notRun}`;
}
