/** How commands speak to whoever reads them: people in a terminal, or a program that asked for JSON. */

/** A command that was not asked for in a way that can be carried out. Ends with 2, as settings do that cannot be used. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export const say = (...lines: readonly string[]): void => {
  for (const line of lines) console.log(line);
};
export const sayJson = (value: unknown): void => console.log(JSON.stringify(value, undefined, 2));

/** Whoever reads us may have read enough, as in `events tail -f | head`: then nothing is left to do. */
export const endWithReader = (): void => {
  process.stdout.on('error', () => process.exit());
};

/** Columns as wide as what is in them; the last one ends where it ends. */
export const table = (head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] => {
  const all = [head, ...rows].map((cells) => cells.map(plain));
  const widths = head.map((_, column) => Math.max(...all.map((cells) => cells[column]?.length ?? 0)));
  return all.map((cells) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
};

/** What came over a bus may hold anything: nothing of it moves the cursor or paints the screen. */
export const plain = (text: string): string =>
  text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (sign) => `\\u{${sign.codePointAt(0)?.toString(16)}}`);

/** `1 key`, `2 keys`, `10,000 keys` */
export const counted = (count: number, one: string, many = `${one}s`): string =>
  `${count.toLocaleString('en-US')} ${count === 1 ? one : many}`;

/** To the millisecond: all of one length, so that they stand below each other. */
export const instant = (text: string): string => `${text.slice(0, 23)}Z`;

const STEPS = [
  { unit: 'd', ms: 86_400_000 },
  { unit: 'h', ms: 3_600_000 },
  { unit: 'min', ms: 60_000 },
  { unit: 's', ms: 1_000 },
] as const;
/** `12 ms`, `1.2 s`, `3 min`: as exact as it takes to tell one from another. */
export const lasting = (ms: number): string => {
  const step = STEPS.find((one) => ms >= one.ms);
  if (step === undefined) return `${Math.round(ms)} ms`;
  const amount = ms / step.ms;
  return `${amount < 10 ? Math.floor(amount * 10) / 10 : Math.floor(amount)} ${step.unit}`;
};

/** Data as it lies, on one line: what is sealed is only said to be. */
export const shown = (data: unknown): string =>
  plain(JSON.stringify(data, (_, value) => (isSealed(value) ? '‹sealed›' : value)) ?? 'undefined');
const isSealed = (value: unknown): boolean => typeof value === 'object' && value !== null && '$sealed' in value;

/** As a shell takes it for one word. */
export const word = (text: string): string =>
  /^[\w@%+:,./-]+$/.test(text) ? text : `'${plain(text).replaceAll("'", `'\\''`)}'`;

export const clipped = (text: string, most: number): string =>
  text.length > most ? `${text.slice(0, most - 1)}…` : text;
