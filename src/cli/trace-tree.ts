/** What a request led to, as a tree of lines: below each event what was made of it, and by whom. Pure. */
import type { StoredEvent } from '#platform/event-store/event.ts';
import { counted, instant, lasting, plain, shown } from './output.ts';

export type Traced = {
  readonly service: string;
  readonly event: StoredEvent;
  /** Of the last event of its stream: when something is due on it next. */
  readonly dueAt: string | undefined;
  /** Opened; undefined where that was not asked for. */
  readonly data: unknown;
};
/** What a consumer made of an event that it hears. */
export type Handling = {
  readonly consumer: string;
  readonly eventId: string;
  readonly outcome:
    | { readonly kind: 'heard' | 'ahead' }
    | {
        readonly kind: 'parked';
        readonly key: string;
        readonly isFirst: boolean;
        readonly cause: string;
        readonly error: string;
      };
};

/** Columns. `what` stands at its place in the tree; `type` is empty where `more` says it all. */
type Line = {
  readonly when: string;
  readonly service: string;
  readonly what: string;
  readonly type: string;
  readonly more: string;
};

/** `traced`: the oldest first. */
export const traceLines = (
  correlationId: string,
  traced: readonly Traced[],
  handlings: readonly Handling[],
): readonly string[] => {
  const byId = new Map(traced.map((one) => [one.event.id, one]));
  const began = Date.parse(traced[0]?.event.recordedAt ?? '');
  const after = ({ event }: Traced): number => Date.parse(event.recordedAt) - began;
  const childrenOf = Map.groupBy(traced, ({ event }) =>
    byId.has(event.metadata.causationId) ? event.metadata.causationId : correlationId,
  );
  const lines: Line[] = [];
  const tell = (parent: string, depth: number, indent: string): void => {
    const children = childrenOf.get(parent) ?? [];
    const makers = new Set(children.map(({ event }) => event.metadata.actor));
    const others = handlings.filter(
      ({ eventId, consumer, outcome }) => eventId === parent && (outcome.kind === 'parked' || !makers.has(consumer)),
    );
    const count = children.length + others.length;
    const branch = (n: number) => (depth === 0 ? '' : `${indent}${n === count ? '└─ ' : '├─ '}`);
    children.forEach((child, index) => {
      lines.push(lineOf(child, branch(index + 1), after(child)));
      tell(child.event.id, depth + 1, depth === 0 ? '' : `${indent}${index + 1 === count ? '   ' : '│  '}`);
    });
    others.forEach(({ consumer, outcome }, index) => {
      const what = `${branch(children.length + index + 1)}${plain(consumer)}`;
      lines.push({ when: '', service: '', what, type: '', more: inWords(outcome) });
    });
  };
  tell(correlationId, 0, '');
  const last = traced.at(-1);
  const services = [...new Set(traced.map(({ service }) => service))];
  const over = last && last !== traced[0] ? ` within ${lasting(after(last))}` : '';
  return [
    `request ${correlationId}: ${counted(traced.length, 'event')} of ${services.join(', ')}${over}`,
    '',
    ...aligned(lines),
  ];
};

const lineOf = ({ service, event, dueAt, data }: Traced, branch: string, after: number): Line => {
  const { stream, version, type, metadata } = event;
  const due = dueAt === undefined ? '' : `, due ${instant(dueAt)}`;
  const told = data === undefined ? '' : `  ${shown(data)}`;
  return {
    when: `+${lasting(after)}`,
    service,
    what: `${branch}${plain(stream)}@${version}`,
    type: plain(type),
    more: `by ${plain(metadata.actor)}${due}${told}`,
  };
};
const inWords = (outcome: Handling['outcome']): string => {
  switch (outcome.kind) {
    case 'heard':
      return 'heard it, and made no event of it';
    case 'ahead':
      return 'has not come to it yet';
    case 'parked':
      return outcome.isFirst
        ? `parked: ${outcome.cause}: ${plain(outcome.error)}`
        : `parked behind another event of key ${plain(outcome.key)} (${outcome.cause}: ${plain(outcome.error)})`;
  }
};

const aligned = (lines: readonly Line[]): readonly string[] => {
  const width = (column: keyof Line) => Math.max(0, ...lines.map((line) => line[column].length));
  const [whens, services, whats, types] = [width('when'), width('service'), width('what'), width('type')];
  return lines.map(({ when, service, what, type, more }) => {
    const begin = [when.padStart(whens), service.padEnd(services), what.padEnd(whats)];
    return [...begin, ...(type === '' ? [] : [type.padEnd(types)]), more].join('  ');
  });
};
