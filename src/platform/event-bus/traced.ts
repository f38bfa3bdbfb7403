/**
 * Batches of events as spans: one that is sent, one that is handled. Each is a trace of its own, linked to those that its
 * events belong to, as OpenTelemetry has it for batches; it is recorded if one of those is. What a policy makes of one
 * event stays in the event's own trace (policies/policy.ts).
 */
import { MOST_LINKS, traced } from '../telemetry/tracing.ts';
import type { Delivered, Delivery } from './delivery.ts';
import type { Post } from './positions.ts';

/**
 * Sends under a producer’s span that links what it sends, 64 events at the most. Answers and rejects as `send` does.
 */
export const tracedSend = (source: string, deliveries: readonly Delivery[], send: () => Promise<void>): Promise<void> =>
  traced(
    `send ${source}.events`,
    {
      kind: 'producer',
      links: tracesOf(deliveries),
      attributes: {
        'messaging.system': 'kafka',
        'messaging.operation.type': 'send',
        'messaging.operation.name': 'send',
        'messaging.destination.name': `${source}.events`,
        'messaging.batch.message_count': deliveries.length,
      },
    },
    send,
  );

const tracesOf = (deliveries: readonly Delivery[]) =>
  deliveries.slice(0, MOST_LINKS).map(({ envelope }) => traceparentIn(envelope.metadata));
/** Metadata is text as long as nobody handles it. */
const traceparentIn = (metadata: string): string | undefined => /"traceparent":\s*"([^"]+)"/.exec(metadata)?.[1];

/** Handles under a consumer’s span that links the events. Answers and rejects as `handle` does. */
export const tracedSlice = <T>(
  { consumer, source }: Post,
  events: readonly Delivered[],
  handle: () => Promise<T>,
): Promise<T> =>
  traced(
    `process ${source}.events`,
    {
      kind: 'consumer',
      links: events.map(({ metadata }) => metadata.traceparent),
      attributes: {
        'messaging.operation.type': 'process',
        'messaging.operation.name': 'process',
        'messaging.destination.name': `${source}.events`,
        'messaging.consumer.group.name': consumer,
        'messaging.batch.message_count': events.length,
      },
    },
    handle,
  );
