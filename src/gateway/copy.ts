/** What the gateway knows of one copy of a service: whether it serves, its breaker, and what it has to do. */
import type { Candidate } from '#platform/resilience/balance.ts';
import { admits, type Breaker, begun, CLOSED, type Ending, ended } from '#platform/resilience/breaker.ts';
import type { Logger } from '#platform/telemetry/logger.ts';
import type { CopyAddress } from './discovery.ts';
import { endingOf } from './retry.ts';
import { type Attempt, discard, openTransport, type UpstreamRequest } from './transport.ts';

export type Copy = {
  readonly address: CopyAddress;
  readonly candidate: () => Candidate;
  /** For people: no address in it. */
  readonly state: () => { readonly ready: boolean; readonly breaker: Breaker['state'] };
  /** Never rejects. */
  attempt(request: UpstreamRequest, ms: number, gone: AbortSignal): Promise<Attempt>;
  /** Asks whether it is ready. At one whose breaker is open this is the trial, so it is found without anybody's request. */
  probe(): Promise<void>;
  close(ms: number): Promise<void>;
};

const OK = 200;
/** ms; longer than a busy machine makes a healthy process wait, for five in a row end its breaker's patience. */
const PROBE_TIMEOUT = 2_000;
const PROBE: UpstreamRequest = { method: 'GET', path: '/health/ready', headers: {}, body: undefined };
const NEVER = new AbortController().signal;

export const openCopy = (service: string, address: CopyAddress, logger: Logger): Copy => {
  const transport = openTransport(address.origin, address.host);
  const probing = openTransport(address.origin, address.host); // it waits for no connection that others hold
  let breaker: Breaker = CLOSED;
  let ready = true; // until it is known better: the first requests are not refused for want of a probe
  let outstanding = 0;
  const clock = () => performance.now();
  const settle = (ending: Ending) => {
    const before = breaker.state;
    breaker = ended(breaker, ending, clock());
    if (breaker.state === before) return;
    const told = { service, url: address.origin };
    if (breaker.state === 'open') logger.warn('a copy is not asked any more', told);
    if (breaker.state === 'closed') logger.info('a copy is asked again', told);
  };
  return {
    address,
    candidate: () => {
      const open = admits(breaker, clock()) ? 'trial' : 'open';
      return { ready, outstanding, breaker: breaker.state === 'closed' ? 'closed' : open };
    },
    state: () => ({ ready, breaker: breaker.state }),
    attempt: async (request, ms, gone) => {
      breaker = begun(breaker, clock());
      outstanding += 1;
      const attempt = await transport.attempt(request, ms, gone);
      const done = () => {
        outstanding -= 1;
      };
      if (attempt.kind === 'answered') {
        const { body } = attempt.answer;
        if (body instanceof Uint8Array) done();
        else body.once('close', done);
        // It closes the connection behind this answer: it is leaving. If it is not, the next probe says so.
        if (String(attempt.answer.headers.connection).toLowerCase() === 'close') ready = false;
      } else {
        done();
      }
      settle(endingOf(attempt, ms));
      return attempt;
    },
    probe: async () => {
      const isTrial = breaker.state !== 'closed';
      if (isTrial && !admits(breaker, clock())) return;
      breaker = begun(breaker, clock());
      const attempt = await probing.attempt(PROBE, PROBE_TIMEOUT, NEVER);
      const answered = attempt.kind === 'answered';
      if (answered) await discard(attempt.answer, PROBE_TIMEOUT); // its status has said all
      ready = answered && attempt.status === OK;
      if (!answered) settle('failure');
      else if (isTrial) settle('success');
    },
    close: async (ms) => void (await Promise.all([transport.close(ms), probing.close(ms)])),
  };
};
