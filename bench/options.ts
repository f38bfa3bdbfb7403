import { parseArgs } from 'node:util';

export interface Options {
  readonly wanted: (row: RowName) => boolean;
  readonly rounds: number;
  readonly seconds: number;
  readonly json: string | undefined;
  readonly progress: (text: string) => void;
}

const ROWS = ['create', 'read', 'list', 'complete', 'commit', 'streams', 'starts'] as const;
export type RowName = (typeof ROWS)[number];

export function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string', default: ROWS.join(',') },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      json: { type: 'string' },
    },
  });
  const only = new Set(values.only.split(','));
  const unknown = only.difference(new Set(ROWS));
  if (unknown.size > 0) throw new Error(`--only knows ${ROWS.join(', ')}, not ${[...unknown].join(', ')}`);
  return {
    wanted: (row) => only.has(row),
    rounds: Number(values.rounds ?? (values.quick ? 1 : 3)),
    seconds: Number(values.seconds ?? (values.quick ? 2 : 5)),
    json: values.json,
    progress: (text) => void process.stderr.write(`… ${text}\n`),
  };
}
