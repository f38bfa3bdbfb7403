/**
 * What was asked and what was answered, kept outside of the system, and the comparison with what the system holds.
 * Each command has an id of its own, which it sends as its request id: the store keeps that with every event.
 */

/** acknowledged: a 2xx; refused: "nothing was done"; unknown: no answer, or an answer that says so. */
export type Answered = 'acknowledged' | 'refused' | 'unknown';
export type Entry = {
  readonly requestId: string;
  readonly wish: 'create' | 'rename' | 'complete' | 'reopen';
  /** Unique among all wishes, so that a state tells which of them made it. */
  readonly title: string;
  readonly keyed: boolean;
  answered: Answered;
  /** How often it was sent. */
  tries: number;
  /** As acknowledged. */
  taskId?: string;
  version?: number;
};

export type StoredEvent = {
  readonly taskId: string;
  readonly version: number;
  readonly requestId: string;
};
/** What a reader is shown of a task. */
export type ShownTask = {
  readonly id: string;
  readonly version: number;
  readonly title: string;
  readonly status: string;
  /** The versions of its history, in order. */
  readonly history: readonly number[];
};

export type CommandFigures = {
  readonly attempted: number;
  readonly acknowledged: number;
  /** Acknowledged, and not in the store at the acknowledged version. */
  readonly lost: number;
  /** In the store more than once: each time beyond the first. */
  readonly duplicate: number;
  /** Streams whose versions are not 1, 2, 3 … in the store or in the history that a reader is shown. */
  readonly gaps: number;
  /** Tasks in the store that a reader is shown in another state or not at all, and tasks shown that are not there. */
  readonly 'shown otherwise': number;
  readonly 'unacknowledged but there': number;
  /** Told that nothing was done. */
  readonly 'refused but there': number;
  /** Keyed, sent more than once, acknowledged in the end. */
  readonly 'retried to the end': number;
};

export const compare = (
  entries: readonly Entry[],
  events: readonly StoredEvent[],
  shown: readonly ShownTask[],
): CommandFigures => {
  const byRequest = Map.groupBy(events, ({ requestId }) => requestId);
  const byTask = Map.groupBy(events, ({ taskId }) => taskId);
  const shownById = new Map(shown.map((task) => [task.id, task]));
  const wishes = new Map(entries.map((entry) => [entry.requestId, entry]));
  const found = ({ requestId }: Entry) => byRequest.get(requestId)?.length ?? 0;
  const count = (holds: (entry: Entry) => boolean) => entries.filter(holds).length;

  /** The state that the wishes in the store lead to is the one that is shown. */
  const isShown = (taskId: string): boolean => {
    const task = shownById.get(taskId);
    const stored = (byTask.get(taskId) ?? []).toSorted((a, b) => a.version - b.version);
    const done = stored.flatMap(({ requestId }) => wishes.get(requestId) ?? []);
    const title = done.findLast(({ wish }) => wish === 'create' || wish === 'rename')?.title;
    const status = done.findLast(({ wish }) => wish !== 'rename')?.wish === 'complete' ? 'completed' : 'open';
    return task?.version === stored.length && task.title === title && task.status === status;
  };
  const isKept = ({ requestId, taskId = '', version }: Entry): boolean =>
    (byRequest.get(requestId) ?? []).some((event) => event.taskId === taskId && event.version === version);
  const isWhole = (versions: readonly number[]): boolean => versions.every((version, n) => version === n + 1);

  return {
    attempted: entries.length,
    acknowledged: count(({ answered }) => answered === 'acknowledged'),
    lost: count((entry) => entry.answered === 'acknowledged' && !isKept(entry)),
    duplicate: entries.reduce((sum, entry) => sum + Math.max(0, found(entry) - 1), 0),
    gaps:
      [...byTask.values()].filter((one) => !isWhole(one.map(({ version }) => version).sort((a, b) => a - b))).length +
      shown.filter(({ history, version }) => !isWhole(history) || history.length !== version).length,
    'shown otherwise': [...new Set([...byTask.keys(), ...shownById.keys()])].filter((id) => !isShown(id)).length,
    'unacknowledged but there': count((entry) => entry.answered === 'unknown' && found(entry) > 0),
    'refused but there': count((entry) => entry.answered === 'refused' && found(entry) > 0),
    'retried to the end': count(({ keyed, tries, answered }) => keyed && tries > 1 && answered === 'acknowledged'),
  };
};
