/**
 * The topics of an installation, as they must be: kept for ever, for the broker holds the events for the day when a store
 * is lost, and of as many partitions as they were made with. The broker never makes one by itself: it would have its
 * defaults, and forget after a week.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Admin, ConfigResourceTypes, IncrementalAlterConfigOperationTypes } from '@platformatic/kafka';
import { asked, clientOptions, isProtocolError, type KafkaSettings } from './client.ts';
import type { TopicSpec } from './topic-specs.ts';

export type TopicOutcome = {
  readonly name: string;
  /** different: it has other partitions or replicas than were asked for, and is left as it is. */
  readonly outcome: 'made' | 'there' | 'configured' | 'different';
  readonly partitions: number;
  readonly replicas: number;
};

/** Bytes: an event of 6 MB, its headers, and what a batch adds. */
const LARGEST_MESSAGE = 6 * 1024 * 1024 + 64 * 1024;

const configsOf = ({ replicas }: TopicSpec): ReadonlyMap<string, string> =>
  new Map([
    ['cleanup.policy', 'delete'],
    ['retention.ms', '-1'],
    ['retention.bytes', '-1'],
    ['max.message.bytes', String(LARGEST_MESSAGE)],
    // By the broker's own clock: it would refuse a sender whose clock is an hour ahead, and believe whatever else one says.
    ['message.timestamp.type', 'LogAppendTime'],
    // With three replicas one may be away, and what is acknowledged lies on two still.
    ['min.insync.replicas', String(Math.max(1, replicas - 1))],
  ]);

/**
 * Makes what is missing, and sets what is configured otherwise. Twice is once, and two at once are one. Partitions are
 * never added: a key would move to another one, and its events out of order. Rejects with BrokerUnavailable.
 */
export const applyTopics = async (
  settings: KafkaSettings,
  specs: readonly TopicSpec[],
): Promise<readonly TopicOutcome[]> => {
  const admin = new Admin(clientOptions(settings, 'taskwire-topics'));
  try {
    const existing = new Set(await asked(admin.listTopics({})));
    const outcomes: TopicOutcome[] = [];
    for (const spec of specs) {
      const isMade = !existing.has(spec.name) && (await make(admin, spec));
      outcomes.push(isMade ? { ...spec, outcome: 'made' } : await adjust(admin, spec));
    }
    return outcomes;
  } finally {
    await admin.close().catch(() => undefined); // all that was asked is answered
  }
};

/** It was taken away, and is there: somebody else makes it, and perhaps not as it must be. */
class TopicThereAgain extends Error {
  override readonly name = 'TopicThereAgain';
  constructor(topic: string) {
    super(
      `${topic} is there again before it was made anew: does another process make topics just now (\`topics apply\`, ` +
        '`npm start`)? End it, and run the command again',
    );
  }
}

/**
 * Throws away what topics hold: they are there afterwards, empty and as they must be. Rejects with BrokerUnavailable, and
 * with TopicThereAgain.
 */
export const emptyTopics = async (settings: KafkaSettings, specs: readonly TopicSpec[]): Promise<void> => {
  const admin = new Admin(clientOptions(settings, 'taskwire-topics'));
  try {
    for (const { name } of specs) await remove(admin, name);
    for (const spec of specs) await makeAnew(admin, spec);
  } finally {
    await admin.close().catch(() => undefined); // all that was asked is answered
  }
};

/** Not asked which there are: a broker may not have heard yet of one that was made just now. */
const remove = async (admin: Admin, name: string): Promise<void> => {
  try {
    await admin.deleteTopics({ topics: [name] });
  } catch (error) {
    if (!isProtocolError(error, 'UNKNOWN_TOPIC_OR_PARTITION')) await asked(Promise.reject(error));
  }
};
/** Its name is taken for a moment yet. */
const makeAnew = async (admin: Admin, spec: TopicSpec): Promise<void> => {
  for (let tries = 0; tries < MOST_TRIES; tries += 1) {
    if (await make(admin, spec)) return;
    await sleep(SWEPT);
  }
  throw new TopicThereAgain(spec.name);
};
const SWEPT = 200;
const MOST_TRIES = 50;

/** False where it is there: another process made it just now, or it is not gone yet. */
const make = async (admin: Admin, spec: TopicSpec): Promise<boolean> => {
  const { name, partitions, replicas } = spec;
  const configs = [...configsOf(spec)].map(([key, value]) => ({ name: key, value }));
  try {
    await admin.createTopics({ topics: [{ topic: name, partitions, replicas }], configs });
    return true;
  } catch (error) {
    if (isProtocolError(error, 'TOPIC_ALREADY_EXISTS')) return false;
    return asked(Promise.reject(error));
  }
};

const adjust = async (admin: Admin, spec: TopicSpec): Promise<TopicOutcome> => {
  const { name } = spec;
  const { topics } = await asked(admin.metadata({ topics: [name], forceUpdate: true }));
  const there = topics.get(name)?.partitions ?? [];
  const shape = { name, partitions: there.length, replicas: there[0]?.replicas.length ?? 0 };
  const wanted = configsOf({ ...spec, replicas: shape.replicas });
  const resource = { resourceType: ConfigResourceTypes.TOPIC, resourceName: name };
  const options = { includeSynonyms: false, includeDocumentation: false };
  const [described] = await asked(
    admin.describeConfigs({ resources: [{ ...resource, configurationKeys: [...wanted.keys()] }], ...options }),
  );
  const now = new Map(described?.configs.map((config) => [config.name, config.value]));
  const off = [...wanted].filter(([key, value]) => now.get(key) !== value);
  if (off.length > 0) {
    const configs = off.map(([key, value]) => ({
      name: key,
      value,
      configOperation: IncrementalAlterConfigOperationTypes.SET,
    }));
    await asked(admin.incrementalAlterConfigs({ resources: [{ ...resource, configs }] }));
  }
  if (shape.partitions !== spec.partitions || shape.replicas !== spec.replicas)
    return { ...shape, outcome: 'different' };
  return { ...shape, outcome: off.length > 0 ? 'configured' : 'there' };
};
