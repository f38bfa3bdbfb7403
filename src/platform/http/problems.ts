/** Every refusal of the platform itself. Services add their own tables; each code has a page under /problems/<code>. */
import type { InputError } from '../schema/validator.ts';

/** What a code means, for whoever gets it: the status, a title that never changes, and what to do about it. */
export type Problem = { readonly status: number; readonly title: string; readonly detail: string };
export type ProblemTable<Code extends string = string> = Readonly<Record<Code, Problem>>;

export const PLATFORM_PROBLEMS = {
  'malformed-request': {
    status: 400,
    title: 'The request cannot be read',
    detail: 'It is not valid HTTP, or its address is not encoded correctly.',
  },
  'malformed-json': {
    status: 400,
    title: 'The body is not JSON',
    detail: 'Send one JSON value in UTF-8, and say so in Content-Type.',
  },
  'too-deep': {
    status: 400,
    title: 'The body is nested too deeply',
    detail: 'Objects and lists may be nested at most 32 levels deep.',
  },
  'body-required': { status: 400, title: 'A body is missing', detail: 'This request needs a JSON body.' },
  'invalid-idempotency-key': {
    status: 400,
    title: 'The Idempotency-Key cannot be used',
    detail: 'Send 1 to 255 visible ASCII characters, bare or in double quotes.',
  },
  'invalid-if-match': {
    status: 400,
    title: 'If-Match cannot be used',
    detail: 'Send one ETag as this API gave it, such as "3".',
  },
  unauthenticated: {
    status: 401,
    title: 'Who are you?',
    detail: 'Send a valid access token: Authorization: Bearer <token>. POST /api/v1/auth/login returns one.',
  },
  'not-found': {
    status: 404,
    title: 'There is nothing here',
    detail: 'This address leads nowhere, or to something that you may not see.',
  },
  'method-not-allowed': {
    status: 405,
    title: 'This cannot be done here',
    detail: 'The Allow header says which methods can be used.',
  },
  'request-too-slow': {
    status: 408,
    title: 'The request came too slowly',
    detail: 'Send all of it within 30 seconds.',
  },
  'idempotency-in-flight': {
    status: 409,
    title: 'The same request is under way',
    detail: 'A request with this Idempotency-Key is still being carried out; ask again shortly.',
  },
  'version-conflict': {
    status: 412,
    title: 'It has changed in the meantime',
    detail: 'The version in If-Match is not the current one; the changesSince member says what has changed.',
  },
  'body-too-large': { status: 413, title: 'The body is too large', detail: 'A body may have at most 256 KiB.' },
  'unsupported-media-type': {
    status: 415,
    title: 'This content type is not accepted here',
    detail: 'Send application/json; PATCH accepts application/merge-patch+json too.',
  },
  'invalid-input': { status: 422, title: 'The input is not valid', detail: 'The errors member says where and why.' },
  'cursor-mismatch': {
    status: 422,
    title: 'The cursor does not belong here',
    detail: 'A cursor only continues the list that it came from, with the same filters and order.',
  },
  'idempotency-key-reused': {
    status: 422,
    title: 'The Idempotency-Key was used for something else',
    detail: 'A new request needs a new key.',
  },
  'rate-limited': {
    status: 429,
    title: 'Too many requests',
    detail: 'Slow down: Retry-After says when to try again, RateLimit-Policy how many are allowed.',
  },
  'headers-too-large': {
    status: 431,
    title: 'The headers are too large',
    detail: 'Address and headers together may have at most 16 KiB.',
  },
  'internal-error': { status: 500, title: 'Something broke on our side', detail: 'It is logged under the requestId.' },
  unavailable: {
    status: 503,
    title: 'Not available just now',
    detail: 'Something that this needs cannot be reached, or is overloaded. Nothing was done; try again shortly.',
  },
  busy: {
    status: 503,
    title: 'Too busy just now',
    detail: 'Others are changing this at the same time, or too many are waiting. Nothing was done; try again shortly.',
  },
  'projection-behind': {
    status: 503,
    title: 'What you wrote is not known here yet',
    detail:
      'What the Consistency-Token stands for has not been taken in here in time. Ask again shortly, or without the token for what is known so far.',
  },
  'outcome-unknown': {
    status: 503,
    title: 'It is not known whether this was done',
    detail:
      'The database stopped answering while this was being saved. Repeat it with the same Idempotency-Key, or look before you repeat it.',
  },
} as const satisfies ProblemTable;
export type PlatformCode = keyof typeof PLATFORM_PROBLEMS;

export type ProblemExtras = {
  readonly detail?: string;
  readonly errors?: readonly InputError[];
  readonly headers?: Readonly<Record<string, string>>;
  /** Further members of the document, such as changesSince. */
  readonly members?: Readonly<Record<string, unknown>>;
};

/** A refusal on its way to the edge. Thrown by HTTP code only; domains answer rejections. */
export class HttpProblem extends Error {
  override readonly name = 'HttpProblem';
  readonly code: string;
  readonly problem: Problem;
  readonly extras: ProblemExtras;
  constructor(code: string, problem: Problem, extras: ProblemExtras = {}) {
    super(problem.title);
    this.code = code;
    this.problem = problem;
    this.extras = extras;
  }
}

/** A refusal by a code of a service's table. */
export const refusal = <Code extends string>(
  problems: ProblemTable<Code>,
  code: Code,
  extras?: ProblemExtras,
): HttpProblem => new HttpProblem(code, problems[code], extras);
/** Some of a table's problems, by their codes: those that one route may answer. */
export const pick = <Code extends string, Some extends Code>(
  problems: ProblemTable<Code>,
  ...codes: readonly Some[]
): ProblemTable => Object.fromEntries(codes.map((code) => [code, problems[code]]));

/** A problem of the platform, to be thrown. `extras` replace its words, and add members, errors and headers. */
export const refuse = (code: PlatformCode, extras: ProblemExtras = {}): HttpProblem =>
  new HttpProblem(code, PLATFORM_PROBLEMS[code], extras);
/** A refusal of input that the schema let through. */
export const invalidInput = (...errors: InputError[]): HttpProblem => refuse('invalid-input', { errors });
