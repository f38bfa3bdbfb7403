/** What the gateway itself refuses. Which copy it was, and where, stands in its log alone. */
import type { ProblemTable } from '#platform/http/problems.ts';

export const gatewayProblems = {
  'service-failed': {
    status: 502,
    title: 'The answer was lost',
    detail:
      'The service behind this address closed the connection before it answered. It is not known whether it was done: repeat it with the same Idempotency-Key, or look before you repeat it.',
  },
  'service-away': {
    status: 503,
    title: 'This service cannot be reached',
    detail: 'The service behind this address cannot be reached; the others go on. Nothing was done; try again shortly.',
  },
  'service-late': {
    status: 504,
    title: 'There was no answer in time',
    detail:
      'It is not known whether it was done: repeat it with the same Idempotency-Key, or look before you repeat it.',
  },
} as const satisfies ProblemTable;
