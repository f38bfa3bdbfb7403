/** Sending to the broker: acknowledged by all replicas that are in sync, or else nobody can tell. */
import { ProduceAcks, Producer } from '@platformatic/kafka';
import type { Delivery } from '../delivery.ts';
import type { Publisher } from '../relaying.ts';
import { BrokerUnavailable, clientOptions, type KafkaSettings } from './client.ts';
import { type OutgoingRecord, toRecord } from './cloud-event.ts';

/** Bytes of a request: below what a broker takes (message.max.bytes is 6 MB and some, and so an event may be). */
const REQUEST = 1_000_000;
/** ms until a send that was not acknowledged counts as one of unknown outcome. */
const DEADLINE = 15_000;

export type Sender = Pick<Publisher, 'send'> & { close(): Promise<void> };

/**
 * One request at a time, each after the one before it was acknowledged: of a lane the broker keeps the order, and nothing
 * without what is before it. What is of unknown outcome is given up with its connections, and sent once more by the relay:
 * twins are dropped by their readers, so the broker's own idempotence, which doubled a batch where a leader was killed,
 * gains nothing.
 */
export const openSender = (settings: KafkaSettings, clientId: string): Sender => {
  let producer: Producer | undefined;
  const drop = async (): Promise<void> => {
    const former = producer;
    producer = undefined;
    await former?.close(true).catch(() => undefined); // it was of no use any more
  };
  const send = async (messages: readonly OutgoingRecord[]): Promise<void> => {
    producer ??= new Producer({ ...clientOptions(settings, clientId), idempotent: false, maxInflights: 1 });
    const deadline = Promise.withResolvers<never>();
    const timer = setTimeout(() => deadline.reject(new Error(`not acknowledged within ${DEADLINE} ms`)), DEADLINE);
    try {
      await Promise.race([producer.send({ messages: [...messages], acks: ProduceAcks.ALL }), deadline.promise]);
    } catch (error) {
      await drop();
      throw new BrokerUnavailable(error);
    } finally {
      clearTimeout(timer);
    }
  };
  return {
    send: async (source, deliveries) => {
      for (const messages of requestsOf(source, deliveries)) await send(messages);
    },
    close: drop,
  };
};

const requestsOf = (source: string, deliveries: readonly Delivery[]): readonly (readonly OutgoingRecord[])[] => {
  const requests: OutgoingRecord[][] = [];
  let size = Number.POSITIVE_INFINITY;
  for (const delivery of deliveries) {
    const record = toRecord(source, delivery);
    if (size + record.value.length > REQUEST) {
      requests.push([]);
      size = 0;
    }
    size += record.value.length + 1_000; // headers
    requests.at(-1)?.push(record);
  }
  return requests;
};
