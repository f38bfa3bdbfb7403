/** The context of a command that no person asked for: an event led to it. */
import type { RecordedEvent } from '../event-store/event.ts';
import { derivedId } from '../keys/ids.ts';
import type { Span } from '../telemetry/tracing.ts';
import type { CommandContext } from './plan.ts';

/**
 * As part of the request that led to `cause`, by a process of ours. Ids of events are derived from (cause, by, n), so
 * that what was done under them is never done again.
 */
export const causedBy = ({ id, metadata }: Pick<RecordedEvent, 'id' | 'metadata'>, by: string): CommandContext => {
  const { correlationId, requestId, traceparent } = metadata;
  let n = 0;
  return {
    correlationId,
    causationId: id,
    requestId,
    actor: by,
    occurredAt: new Date().toISOString(),
    ...(traceparent !== undefined && { traceparent }),
    newId: () => {
      n += 1;
      return derivedId(id, by, String(n));
    },
  };
};

/** The same, as part of a span: what comes of it goes on from there. */
export const inTrace = (context: CommandContext, { traceparent }: Pick<Span, 'traceparent'>): CommandContext =>
  traceparent === '' ? context : { ...context, traceparent };
