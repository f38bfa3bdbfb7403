/** What of a request's headers goes on to a service, and of an answer's back: names in, names out. */

export type Headers = Readonly<Record<string, string | string[] | undefined>>;

/**
 * What services read. A list of what passes, and not of what does not: whatever claims to say who asks (X-User-Id,
 * X-Roles, Forwarded …) is stopped by it under every name, those that somebody invents later among them.
 */
const PASSED_ON = new Set([
  'accept',
  'accept-encoding',
  'accept-language',
  'authorization',
  'cache-control',
  'consistency-token',
  'content-encoding',
  'content-language',
  'content-type',
  'cookie',
  'idempotency-key',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'last-event-id',
  'range',
  'tracestate',
  'user-agent',
]);

/** What belongs to one connection (RFC 9110, 7.6.1), besides those that its Connection header names. */
const OF_THE_CONNECTION = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
const namedBy = (connection: string | string[] | undefined): ReadonlySet<string> =>
  new Set(
    [connection ?? []]
      .flat()
      .flatMap((value) => value.split(','))
      .map((name) => name.trim().toLowerCase()),
  );

export type Origin = {
  readonly requestId: string;
  readonly traceparent: string;
  /** Who is connected to us; what a header says of others before is not believed. */
  readonly address: string;
  readonly host: string | undefined;
  readonly protocol: string;
};

/** The headers for a service: those of the client that pass, and what we say of the client. */
export const requestHeaders = (headers: Headers, origin: Origin): Record<string, string | string[]> => {
  const named = namedBy(headers.connection);
  const passed = Object.entries(headers).filter(
    (entry): entry is [string, string | string[]] =>
      entry[1] !== undefined && PASSED_ON.has(entry[0]) && !named.has(entry[0]),
  );
  return {
    ...Object.fromEntries(passed),
    'x-request-id': origin.requestId,
    traceparent: origin.traceparent,
    'x-forwarded-for': origin.address,
    'x-forwarded-proto': origin.protocol,
    ...(origin.host !== undefined && { 'x-forwarded-host': origin.host }),
  };
};

/** The headers of a service's answer for the client: all but those of the connection between us and the service. */
export const answerHeaders = (headers: Headers): Record<string, string | string[]> => {
  const named = namedBy(headers.connection);
  return Object.fromEntries(
    Object.entries(headers).filter(
      (entry): entry is [string, string | string[]] =>
        entry[1] !== undefined && !OF_THE_CONNECTION.has(entry[0]) && !named.has(entry[0]),
    ),
  );
};
