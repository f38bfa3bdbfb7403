/** taskwire topics: what the broker keeps events in. */
import { setTimeout as pause } from 'node:timers/promises';
import { type Config, ConfigurationError, readConfig } from '#platform/config/config.ts';
import type { KafkaSettings } from '#platform/event-bus/kafka/client.ts';
import { kafkaOf, topicsOf } from '../installation.ts';
import { tell } from '../starting.ts';
import { say, sayJson, table } from './output.ts';

/** For commands about the broker, in whose hands no database is needed. */
export const brokerOf = (config: Config): KafkaSettings => {
  const settings = kafkaOf(config);
  if (settings === undefined) throw new ConfigurationError('KAFKA_BOOTSTRAP_SERVERS must name a broker: host:port');
  return settings;
};

/** It may be run beside a broker that is starting still: waits for one that nobody answers for, and says so once. */
const whenThere = async <T>({ bootstrapServers }: KafkaSettings, ask: () => Promise<T>): Promise<T> => {
  const { BrokerUnavailable } = await import('#platform/event-bus/kafka/client.ts'); // its client takes a while to load
  for (let tries = 0; ; tries += 1) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof BrokerUnavailable && error.isAway)) throw error;
      if (tries === 0) tell(`waiting for ${error.message} (${bootstrapServers.join(', ')})`);
      await pause(LOOK_AGAIN);
    }
  }
};
const LOOK_AGAIN = 500;

const WORDS = { made: 'made', there: 'as it must be', configured: 'set right', different: 'DIFFERENT' } as const;

export const topicsApply = async ({ json }: { readonly json?: boolean }): Promise<void> => {
  const config = readConfig('gateway');
  const settings = brokerOf(config);
  const { applyTopics } = await import('#platform/event-bus/kafka/topics.ts');
  const outcomes = await whenThere(settings, () => applyTopics(settings, topicsOf(config)));
  if (json) return sayJson(outcomes);
  const rows = outcomes.map(({ name, outcome, partitions, replicas }) => [
    name,
    WORDS[outcome],
    String(partitions),
    String(replicas),
  ]);
  say(...table(['TOPIC', 'IS', 'PARTITIONS', 'REPLICAS'], rows));
  if (outcomes.some(({ outcome }) => outcome === 'different'))
    say(
      '',
      'A topic keeps the partitions it was made with: with others, keys would move, and their events out of order.',
      'Set KAFKA_TOPIC_PARTITIONS and KAFKA_TOPIC_REPLICAS to what is there, or have them made anew and filled from the store:',
      '  taskwire events republish --to kafka --service <name>',
    );
};
