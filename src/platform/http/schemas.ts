/** The schemas that every API of ours shares. */
import Type, { type TSchema } from 'typebox';
import { PLATFORM_PROBLEMS, type PlatformCode, type ProblemTable } from './problems.ts';

const InputErrorSchema = Type.Object({
  pointer: Type.String({ description: 'JSON pointer into the body; /query/… and /path/… for the others' }),
  code: Type.String(),
  detail: Type.String(),
});
const ChangeEntry = Type.Object({
  version: Type.Integer(),
  type: Type.String(),
  actor: Type.String(),
  at: Type.String(),
  requestId: Type.String(),
  changes: Type.Record(Type.String(), Type.Object({ from: Type.Unknown(), to: Type.Unknown() })),
});
export const History = Type.Object({
  items: Type.Array(ChangeEntry),
  nextCursor: Type.Union([Type.String(), Type.Null()]),
});

const ProblemDocument = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    instance: Type.String(),
    code: Type.String(),
    requestId: Type.String(),
    traceId: Type.String(),
    errors: Type.Optional(Type.Array(InputErrorSchema)),
    expectedVersion: Type.Optional(Type.Integer()),
    currentVersion: Type.Optional(Type.Integer()),
    changesSince: Type.Optional(Type.Array(ChangeEntry)),
  },
  { title: 'Problem', description: 'RFC 9457' },
);

/** The schema of a page of a list, whose items have this one. */
export const listOf = (item: TSchema) =>
  Type.Object({
    items: Type.Array(item),
    nextCursor: Type.Union([Type.String(), Type.Null()], { description: 'null at the end' }),
    totalCount: Type.Optional(Type.Integer({ description: 'with count=true' })),
  });
/** What every list takes. */
export const listQuery = {
  limit: Type.Integer({ minimum: 1, maximum: 200, default: 50 }),
  cursor: Type.Optional(Type.String({ maxLength: 2_000, description: 'nextCursor of the page before' })),
  count: Type.Boolean({ default: false, description: 'adds totalCount' }),
};

/** An action needs no body; an empty object is taken for none. */
export const NoBody = Type.Union([Type.Null(), Type.Object({}, { additionalProperties: false })], {
  'x-no-body': true,
});

const ALWAYS: readonly PlatformCode[] = [
  'malformed-request',
  'rate-limited',
  'headers-too-large',
  'invalid-input',
  'internal-error',
  'unavailable',
  'busy',
  'outcome-unknown',
];

/**
 * The responses of a route for its OpenAPI: what it answers when all is well, and each problem that it may answer,
 * gathered by status. `codes` are the platform's beyond those of every route.
 */
export const responses = (
  success: Readonly<Record<number, TSchema>>,
  codes: readonly PlatformCode[] = [],
  problems: ProblemTable = {},
): Record<string, object> => {
  const own = [...ALWAYS, ...codes].map((code) => [code, PLATFORM_PROBLEMS[code]] as const);
  const byStatus = Map.groupBy([...own, ...Object.entries(problems)], ([, { status }]) => status);
  const refused = [...byStatus].map(([status, entries]) => [
    String(status),
    {
      description: entries.map(([code, { title }]) => `\`${code}\`: ${title}`).join('  \n'),
      content: { 'application/problem+json': { schema: ProblemDocument } },
    },
  ]);
  const fine = Object.entries(success).map(([status, schema]) => [
    status,
    'x-no-body' in schema ? Type.Null() : schema,
  ]);
  return Object.fromEntries([...fine, ...refused]);
};
/** The problems of every route that needs a token, reads a body, or writes. */
export const AUTHENTICATED: readonly PlatformCode[] = ['unauthenticated'];
export const WITH_BODY: readonly PlatformCode[] = [
  'malformed-json',
  'too-deep',
  'body-required',
  'body-too-large',
  'unsupported-media-type',
];
export const KEYED: readonly PlatformCode[] = [
  'invalid-idempotency-key',
  'idempotency-in-flight',
  'idempotency-key-reused',
];
export const VERSIONED: readonly PlatformCode[] = ['invalid-if-match', 'version-conflict'];
