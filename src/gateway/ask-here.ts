/** A service that is in this process, asked as the gateway asks those that are not. */
import type { FastifyRequest } from 'fastify';
import type { HttpApp } from '#platform/http/server.ts';
import type { AskService } from './dashboard.ts';

export const askHere = (http: HttpApp, { headers, id, trace }: FastifyRequest): AskService => {
  const { authorization, 'consistency-token': token } = headers;
  const carried = {
    authorization,
    'x-request-id': id,
    traceparent: trace.traceparent,
    ...(token !== undefined && { 'consistency-token': token }),
  };
  return async (_service, url) => {
    const answer = await http.inject({ method: 'GET', url, headers: carried });
    return { status: answer.statusCode, body: answer.json() };
  };
};
