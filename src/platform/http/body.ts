/** How a body becomes a value: strict UTF-8, bounded depth, no prototype keys, only text that can be stored. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { isDeeperThan } from '../schema/depth.ts';
import { findUnstorable } from '../schema/text.ts';
import { invalidInput, refuse } from './problems.ts';

const MAX_DEPTH = 32;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Takes JSON and merge patches and nothing else. An empty body is undefined. Throws HttpProblem: unsupported-media-
 * type, malformed-json, too-deep, invalid-input.
 */
export const readJsonBodies = (app: FastifyInstance): void => {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    ['application/json', 'application/merge-patch+json'],
    { parseAs: 'buffer' },
    async (request: FastifyRequest, body: Buffer) => {
      if (!isPlainUtf8(request)) throw refuse('unsupported-media-type');
      return body.length === 0 ? undefined : parseJson(body);
    },
  );
};

/** JSON is UTF-8 (RFC 8259); another charset would be stored as rubbish, and compressed bodies are not read here. */
const isPlainUtf8 = ({ headers }: FastifyRequest): boolean => {
  const [, charset = 'utf-8'] = /charset\s*=\s*"?([^\s;"]+)/i.exec(headers['content-type'] ?? '') ?? [];
  const encoding = headers['content-encoding'] ?? 'identity';
  return /^utf-?8$/i.test(charset) && encoding.toLowerCase() === 'identity';
};

/** Throws HttpProblem: malformed-json, too-deep, invalid-input. */
const parseJson = (body: Buffer): unknown => {
  let text: string;
  let value: unknown;
  try {
    text = utf8.decode(body);
    // Before anything recurses over the value.
    if (isDeeperThan(text, MAX_DEPTH)) throw refuse('too-deep');
    value = JSON.parse(text, text.includes('__proto__') || text.includes('\\u') ? refusePrototypes : undefined);
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) throw refuse('malformed-json');
    throw error;
  }
  // Only an escape can bring a NUL or half a surrogate pair into valid UTF-8.
  const pointer = text.includes('\\u') ? findUnstorable(value) : undefined;
  if (pointer === undefined) return value;
  throw invalidInput({ pointer, code: 'not-text', detail: 'must not contain NUL or half a surrogate pair' });
};

const refusePrototypes = (key: string, value: unknown): unknown => {
  if (key === '__proto__') throw new SyntaxError('__proto__');
  return value;
};
