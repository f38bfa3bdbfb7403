import { parseArgs } from 'node:util';

export interface Options {
  readonly wanted: (row: RowName) => boolean;
  readonly rounds: number;
  readonly seconds: number;
  /** Of the store in which growth is measured. */
  readonly events: number;
  /** Whether the table is to be one of Markdown's. */
  readonly markdown: boolean;
  readonly json: string | undefined;
  readonly progress: (text: string) => void;
}

const ROWS = [
  'create',
  'read',
  'list',
  'complete',
  'commit',
  'streams',
  'rebuild',
  'bus',
  'latency',
  'kafka',
  'gateway',
  'copies',
  'users',
  'cache',
  'starts',
  'growth',
] as const;
export type RowName = (typeof ROWS)[number];

export function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      full: { type: 'boolean', default: false },
      only: { type: 'string', default: ROWS.join(',') },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      events: { type: 'string', default: '10000000' },
      markdown: { type: 'boolean', default: false },
      json: { type: 'string' },
    },
  });
  const only = new Set(values.only.split(','));
  const unknown = only.difference(new Set(ROWS));
  if (unknown.size > 0) throw new Error(`--only knows ${ROWS.join(', ')}, not ${[...unknown].join(', ')}`);
  return {
    wanted: (row) => only.has(row) && (row !== 'growth' || values.full),
    rounds: Number(values.rounds ?? (values.quick ? 1 : 3)),
    seconds: Number(values.seconds ?? (values.quick ? 2 : 5)),
    events: Number(values.events),
    markdown: values.markdown,
    json: values.json,
    progress: (text) => void process.stderr.write(`… ${text}\n`),
  };
}
