/** What must never happen with work that is due: its own books of claims, sends and firings. */
import type { MailObserver } from './jobs.ts';
import type { Fail } from './safety.ts';
import type { Process } from './scheduler.ts';
import type { TimerObserver } from './timers.ts';
import type { Claim, WorkObserver } from './work.ts';

export type WorkRule =
  | 'work is claimed by one at a time'
  | 'work is settled by its last claim alone'
  | 'a mail is sent twice only where its sender failed in between'
  | 'a mail that is settled was sent'
  | 'a timer fires once'
  | 'a timer fires when it is due'
  | 'what was planned anew does not fire as before';

type Claimed = {
  readonly token: string;
  readonly process: Process;
  /** How much had gone wrong with the process by then. */
  readonly faults: number;
  /** By the database's clock. */
  readonly at: number;
  readonly since: number;
  readonly until: number;
  hasFailed: boolean;
  isSettled: boolean;
};

export type WorkSafety = ReturnType<typeof createWorkSafety>;

export const createWorkSafety = (fail: Fail<WorkRule>, wall: () => number) => {
  const claims = new Map<string, Claimed[]>();
  const sends = new Map<string, string[]>();
  const fired = new Set<string>();

  const lastOf = (id: string): Claimed | undefined => claims.get(id)?.at(-1);
  const byToken = (id: string, token: string): Claimed | undefined =>
    claims.get(id)?.find((one) => one.token === token);

  const work: WorkObserver = {
    claimed: ({ id, token }, { since, until }, process) => {
      const before = lastOf(id);
      const isHeld =
        before && !before.isSettled && !before.hasFailed && before.since <= wall() && wall() < before.until;
      if (isHeld) fail('work is claimed by one at a time', `${id} is claimed while ${before.process.name} has it`);
      const all = claims.get(id) ?? [];
      all.push({
        token,
        process,
        faults: process.faults,
        at: wall(),
        since,
        until,
        hasFailed: false,
        isSettled: false,
      });
      claims.set(id, all);
    },
    gaveUp: ({ id, token }: Claim) => {
      const claim = byToken(id, token);
      if (claim) claim.hasFailed = true;
    },
    settled: (id, token) => {
      const claim = byToken(id, token);
      if (claim === undefined || claim !== lastOf(id) || claim.isSettled)
        fail('work is settled by its last claim alone', `${id} was settled under ${token}`);
      else claim.isSettled = true;
    },
  };

  const mail: MailObserver = {
    sent: (id, token) => {
      const tokens = [...(sends.get(id) ?? []), token];
      sends.set(id, tokens);
      const blameless = tokens.filter((one) => {
        const sender = byToken(id, one);
        return sender === undefined || !(sender.hasFailed || sender.process.faults > sender.faults);
      });
      if (blameless.length > 1)
        fail('a mail is sent twice only where its sender failed in between', `${id} was sent under ${blameless}`);
    },
    ended: (id, status) => {
      if (status === 'sent' && !sends.has(id)) fail('a mail that is settled was sent', `${id} was not`);
    },
  };

  const timers: TimerObserver = {
    fired: ({ id, token }, occurrence, dueAt, isCurrent) => {
      const name = `${id}/${occurrence}`;
      const now = byToken(id, token)?.at ?? 0;
      if (fired.has(name)) fail('a timer fires once', `${name} fired again`);
      if (now < dueAt) fail('a timer fires when it is due', `${name} fired ${dueAt - now} ms early`);
      if (!isCurrent) fail('what was planned anew does not fire as before', `${name} fired`);
      fired.add(name);
    },
  };

  return { work, mail, timers, sends: sends as ReadonlyMap<string, readonly string[]> };
};
