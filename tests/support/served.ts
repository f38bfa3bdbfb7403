import { until } from './until.ts';

/** Asks again where it is told to come back later: whether a busy machine is in time is not what is tried. */
export const served = <Answer extends { readonly status: number }>(ask: () => Promise<Answer>): Promise<Answer> =>
  until('it to be served', async () => {
    const answer = await ask();
    return answer.status === 503 ? undefined : answer;
  });
