/** Versions over HTTP (RFC 9110 section 13): an ETag is the version of the aggregate. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { refuse } from './problems.ts';

/** A strong one, in its quotes. */
export const etagOf = (version: number): string => `"${version}"`;

/** The version that the client insists on; undefined when it does not. `*` asks only that there is one. */
export const ifMatch = (request: FastifyRequest): number | undefined => {
  const header = request.headers['if-match']?.trim();
  if (header === undefined || header === '*') return undefined;
  const [, version] = /^"(\d{1,9})"$/.exec(header) ?? [];
  if (version === undefined) throw refuse('invalid-if-match');
  return Number(version);
};

/** A single resource with its ETag; 304 without a body when the client has this version. */
export const sendVersioned = (
  request: FastifyRequest,
  reply: FastifyReply,
  resource: { readonly version: number },
): FastifyReply => {
  const etag = etagOf(resource.version);
  reply.header('etag', etag).header('cache-control', 'private, no-cache');
  const known = (request.headers['if-none-match'] ?? '').split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  return known.includes(etag) || known.includes('*') ? reply.code(304).send() : reply.send(resource);
};
