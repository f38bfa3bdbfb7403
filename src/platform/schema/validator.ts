/** One validator for all schemas: HTTP input, event data and configuration fail with the same words. */
import { Ajv2020, type ErrorObject, type Options } from 'ajv/dist/2020.js';
import { formats } from './formats.ts';

/** One fault of an input: where (RFC 6901), what (stable code: the schema's keyword), and in words. */
export type InputError = { readonly pointer: string; readonly code: string; readonly detail: string };

const OPTIONS: Options = {
  allErrors: true,
  strict: true,
  allowUnionTypes: true,
  removeAdditional: false,
  useDefaults: true,
  coerceTypes: false,
  // Our own marks on schemas: they say something to the codec and the docs, nothing to validation.
  keywords: ['x-personal', 'x-no-body'],
  formats,
};

/**
 * `coerce` turns the strings of a query, path or environment into the numbers, booleans and lists they stand for. It
 * makes Infinity of `1e400`, which Ajv with strict numbers then compares with no bound.
 */
export const createValidator = ({ coerce }: { readonly coerce: boolean }): Ajv2020 =>
  new Ajv2020({ ...OPTIONS, coerceTypes: coerce ? 'array' : false, strictNumbers: !coerce });

/**
 * Ajv's errors as ours, at most 20. A union fails with messages for each of its members; those are dropped for the
 * one that says so, for they would tell a person to do several contradictory things.
 */
export const inputErrors = (errors: readonly ErrorObject[] | null | undefined, prefix = ''): readonly InputError[] => {
  const unions = (errors ?? []).filter(({ keyword }) => keyword === 'anyOf').map(({ schemaPath }) => `${schemaPath}/`);
  return (errors ?? [])
    .filter(({ schemaPath }) => !unions.some((union) => schemaPath.startsWith(union)))
    .slice(0, 20)
    .map((error) => ({ pointer: prefix + pointerOf(error), code: codeOf(error), detail: detailOf(error) }));
};

/** The place of the fault: for a field too many or too few, the field itself. */
const pointerOf = ({ instancePath, params }: ErrorObject): string => {
  const field: unknown = params.additionalProperty ?? params.missingProperty;
  return typeof field === 'string'
    ? `${instancePath}/${field.slice(0, 100).replaceAll('~', '~0').replaceAll('/', '~1')}`
    : instancePath;
};

const CODES: Readonly<Record<string, string>> = {
  additionalProperties: 'unknown-field',
  required: 'missing',
  type: 'wrong-type',
  enum: 'not-allowed',
  anyOf: 'no-variant-fits',
};
const codeOf = ({ keyword, params }: ErrorObject): string =>
  keyword === 'format'
    ? `not-${params.format}`
    : (CODES[keyword] ?? keyword.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`));

const detailOf = ({ keyword, params, message }: ErrorObject): string => {
  if (keyword === 'additionalProperties') return 'is not a field of this';
  if (keyword === 'required') return 'is missing';
  if (keyword === 'enum' && Array.isArray(params.allowedValues))
    return `must be one of ${params.allowedValues.join(', ')}`;
  if (keyword === 'anyOf') return 'fits none of the forms that this may take';
  if (keyword === 'format') return FORMAT_WORDS[String(params.format)] ?? `must be a valid ${params.format}`;
  if (keyword === 'pattern' && params.pattern === '\\S') return 'must not be blank';
  return message ?? 'is invalid';
};
const FORMAT_WORDS: Readonly<Record<string, string>> = {
  instant: 'must be an RFC 3339 instant in UTC, such as 2026-11-24T09:00:00Z',
  date: 'must be a date, such as 2026-11-24',
  uuid: 'must be a UUID in lower case',
  'time-zone': 'must be an IANA time zone, such as Europe/Berlin',
  locale: 'must be a BCP 47 language tag, such as en-GB',
  email: 'must be an e-mail address',
  'web-address': 'must be an http or https address without query, such as https://tasks.example.org',
  networks: 'must be addresses or networks with commas between, such as 10.0.0.0/8, 192.0.2.7',
  'smtp-address':
    'must be a mail server, such as smtp://mail.example.org:587 or smtps://user:password@mail.example.org',
  sender: 'must be a name and an address, such as Taskwire <no-reply@example.org>',
  'private-keys': 'must be a JWK set of private P-256 keys, each with a kid',
  secrets: 'must have at least 32 characters; of several secrets each, newest first, with commas and no spaces between',
};
