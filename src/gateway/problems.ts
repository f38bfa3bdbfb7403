/** What the gateway itself refuses. Which copy it was, and where, stands in its log alone. */
import type { ProblemTable } from '#platform/http/problems.ts';

export const gatewayProblems = {
  'service-failed': {
    status: 502,
    title: 'The answer was lost',
    detail:
      'What this is asked of broke off before it answered. It is not known whether it was done: repeat it with the same Idempotency-Key, or look before you repeat it.',
  },
  'service-away': {
    status: 503,
    title: 'This part is away',
    detail: 'What this is asked of cannot be reached just now; the rest goes on. Nothing was done; try again shortly.',
  },
  'service-late': {
    status: 504,
    title: 'There was no answer in time',
    detail:
      'It is not known whether it was done: repeat it with the same Idempotency-Key, or look before you repeat it.',
  },
} as const satisfies ProblemTable;
