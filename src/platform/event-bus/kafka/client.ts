/** How this installation's broker is reached. */
import { readFileSync } from 'node:fs';
import { NetworkError, TimeoutError } from '@platformatic/kafka';

export type KafkaSettings = {
  /** `host:port`, one or several. */
  readonly bootstrapServers: readonly string[];
  readonly sasl?:
    | { readonly mechanism: SaslMechanism; readonly username: string; readonly password: string }
    | undefined;
  /** A file of certificates in PEM form, `system` for those of this machine; undefined = no TLS. */
  readonly tls?: string | undefined;
  /** Of this copy of a process, and the same after its restart: its place in consumer groups waits for it a while. */
  readonly instanceId?: string | undefined;
};
type SaslMechanism = 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512';

/** ms: a request that a broker has not answered by then is given up with its connection, and another one is asked. */
const TIMEOUT = 5_000;

/** A client asks the first one first, each time: where that one hangs, not all clients do, nor whoever makes another one. */
const fromAnyOf = (servers: readonly string[]): string[] => {
  const first = Math.floor(Math.random() * servers.length);
  return [...servers.slice(first), ...servers.slice(0, first)];
};
/** The options that all clients share. Throws where the file of certificates cannot be read. */
export const clientOptions = ({ bootstrapServers, sasl, tls }: KafkaSettings, clientId: string) => ({
  clientId,
  bootstrapBrokers: fromAnyOf(bootstrapServers),
  timeout: TIMEOUT,
  requestTimeout: TIMEOUT, // `timeout` is what a broker itself waits for others
  connectTimeout: TIMEOUT,
  retries: 3,
  retryDelay: 200,
  ...(sasl && { sasl: { ...sasl } }),
  ...(tls !== undefined && { tls: tls === 'system' ? {} : { ca: readFileSync(tls) } }),
});

/** Errors of the client nest several deep; the innermost says what it was. Names and codes alone: nothing was quoted. */
const deepestOf = (error: unknown): unknown => {
  let deepest = error;
  for (let depth = 0; depth < 10; depth += 1) {
    if (deepest instanceof AggregateError && deepest.errors.length > 0) deepest = deepest.errors[0];
    else if (deepest instanceof Error && deepest.cause instanceof Error) deepest = deepest.cause;
    else break;
  }
  return deepest;
};

/** The broker refused, or could not be asked. For logs: it may name hosts. */
export class BrokerUnavailable extends Error {
  override readonly name = 'BrokerUnavailable';
  /** Nobody answered there: it may be starting still. One that refused what was asked does so again. */
  readonly isAway: boolean;
  constructor(cause: unknown) {
    const deepest = deepestOf(cause);
    super(`the broker: ${deepest instanceof Error ? deepest.message : String(deepest)}`, { cause });
    this.isAway = deepest instanceof Error && ('syscall' in deepest || AWAY.has(Object(deepest).code));
  }
}
const AWAY: ReadonlySet<unknown> = new Set([NetworkError.code, TimeoutError.code]);
/** A topic that nobody made yet: the broker makes none by itself. */
export class TopicMissing extends Error {
  override readonly name = 'TopicMissing';
  constructor(topics: readonly string[]) {
    super(`the broker has no topic ${topics.join(', ')} yet: run \`taskwire topics apply\``);
  }
}

/** Whether an error is, or holds, one that Kafka calls so. */
export const isProtocolError = (error: unknown, apiId: string): boolean => {
  if (!(error instanceof Error)) return false;
  if ('apiId' in error && error.apiId === apiId) return true;
  const inner: readonly unknown[] = error instanceof AggregateError ? error.errors : [error.cause];
  return inner.some((one) => isProtocolError(one, apiId));
};

/** An answer of the client, or why there is none. */
export const asked = async <T>(answer: Promise<T>): Promise<T> => {
  try {
    return await answer;
  } catch (error) {
    throw new BrokerUnavailable(error);
  }
};
