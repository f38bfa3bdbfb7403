/** Whatever goes wrong becomes a problem document here, and only here: what the client may read is not what we log. */
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { refusalOf } from '../resilience/refusal.ts';
import { inputErrors } from '../schema/validator.ts';
import type { Logger } from '../telemetry/logger.ts';
import { metrics } from '../telemetry/metrics.ts';
import { HttpProblem, refuse } from './problems.ts';

export const RETRY_AFTER = { 'retry-after': '1' };

/** Any error as the refusal that the client reads. */
const problemOf = (error: unknown, body: unknown): HttpProblem => {
  if (error instanceof HttpProblem) return error;
  const refusal = refusalOf(error);
  if (refusal) return refuse(refusal, { headers: RETRY_AFTER });
  if (isFastifyError(error)) {
    if (error.validation) return ofValidation(error, body);
    switch (error.code) {
      case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
        return refuse('unsupported-media-type');
      case 'FST_ERR_CTP_BODY_TOO_LARGE':
        return refuse('body-too-large');
      case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      case 'FST_ERR_BAD_URL':
        return refuse('malformed-request');
    }
    if (error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500)
      return refuse('malformed-request');
  }
  return refuse('internal-error');
};

const PREFIX: Readonly<Record<string, string>> = {
  body: '',
  querystring: '/query',
  params: '/path',
  headers: '/headers',
};
const ofValidation = ({ validation, validationContext = 'body' }: FastifyError, body: unknown): HttpProblem => {
  if (validationContext === 'body' && (body === undefined || body === null)) return refuse('body-required');
  return refuse('invalid-input', { errors: inputErrors(validation as never, PREFIX[validationContext]) });
};

const isFastifyError = (error: unknown): error is FastifyError =>
  error instanceof Error && ('code' in error || 'validation' in error);

type Asked = { readonly id: string; readonly url: string; readonly traceId: string };
/** RFC 9457, as JSON. `instance` is the address without its query, which may hold something private. */
export const problemDocument = ({ code, problem, extras }: HttpProblem, { id, url, traceId }: Asked): string =>
  JSON.stringify({
    type: `/problems/${code}`,
    title: problem.title,
    status: problem.status,
    detail: extras.detail ?? problem.detail,
    instance: url.split('?', 1)[0],
    code,
    requestId: id,
    traceId,
    ...(extras.errors && { errors: extras.errors }),
    ...extras.members,
  });

const sendProblem = (request: FastifyRequest, reply: FastifyReply, refusal: HttpProblem): FastifyReply => {
  const { id, originalUrl, trace } = request;
  metrics.httpProblems.inc({ code: refusal.code });
  return reply
    .code(refusal.problem.status)
    .headers(refusal.extras.headers ?? {})
    .type('application/problem+json')
    .send(problemDocument(refusal, { id, url: originalUrl, traceId: trace.traceId }));
};

/**
 * Every error becomes a problem document. An unforeseen one is `internal-error`, and only the log tells what it was.
 */
export const answerErrors = (app: FastifyInstance, logger: Logger): void => {
  app.setErrorHandler((error, request, reply) => {
    const refusal = problemOf(error, request.body);
    const fields = { requestId: request.id, route: request.routeOptions.url ?? '', code: refusal.code };
    if (refusal.code === 'internal-error') logger.error('a request failed', { ...fields, error });
    else if (refusal.problem.status >= 500) logger.warn('a request could not be served', { ...fields, error });
    return sendProblem(request, reply, refusal);
  });
};
