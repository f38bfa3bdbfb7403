/**
 * Time and chance of a simulated world. A process asks something of the world by a call: that is carried out, whole and
 * at once, when the scheduler picks it, and answered then or later. Nothing else takes time, and nothing else is left to
 * chance, so a run follows from its random numbers alone.
 *
 * What may go wrong with a call is what may go wrong with a request on a network:
 *
 *   lost     it is not carried out, and refused        unanswered   it is carried out, and refused: nobody can tell
 *   slow     carried out, and answered much later      late         refused, and carried out much later
 *
 * A killed process gets no answers any more, though what it had asked for may still be carried out. A frozen one goes on
 * where it was, with answers of long ago.
 */
import type { Random } from '../support/random.ts';

export type Process = {
  readonly name: string;
  alive: boolean;
  frozenUntil: number;
  /** How often something went wrong with it or its calls. */
  faults: number;
};
/** A write that fails may have happened; a read has no effect; a pause only ends. */
type Kind = 'read' | 'write' | 'pause';
type Outcome = { readonly value: unknown } | { readonly error: unknown };
type Call = {
  readonly process: Process;
  readonly what: string;
  readonly kind: Kind;
  due: number;
  /** It is on its way: what becomes of its process does not hold it back. */
  sent: boolean;
  /** Undefined once it was carried out, and only the answer is to come. */
  act: (() => unknown) | undefined;
  outcome: Outcome | undefined;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
};

/** What nothing ever happens to: a database's own housekeeping, and time itself. */
export const WORLD: Process = { name: 'world', alive: true, frozenUntil: 0, faults: 0 };

/** How often in a call, or in a step, something goes wrong. */
export type Rates = Readonly<
  Record<'lost' | 'unanswered' | 'late' | 'slow' | 'held' | 'killed' | 'frozen' | 'jumped', number>
>;
const CALM: Rates = { lost: 0, unanswered: 0, late: 0, slow: 0, held: 0, killed: 0, frozen: 0, jumped: 0 };

/** As a database that is away says it; see refusalOf. */
class Away extends Error {
  override readonly name = 'Away';
  readonly refusal: 'unavailable' | 'outcome-unknown';
  constructor(refusal: Away['refusal']) {
    super(refusal);
    this.refusal = refusal;
  }
}

type Options = {
  readonly random: Random;
  readonly rates: Rates;
  /** Told of everything that went wrong, by its name. */
  readonly happened: (what: string) => void;
  readonly note: (text: () => string) => void;
  /** A process ended, or threw what none of them may throw. */
  readonly broken: (error: unknown) => void;
};

export type Scheduler = ReturnType<typeof createScheduler>;

/** ms of a step at the most, while nobody waits for a certain time. */
const PACE = 12;
const LATE = { least: 50, most: 9_000 };
const FROZEN = { least: 200, most: 9_000 };
const REBORN = { least: 10, most: 2_500 };

export const createScheduler = ({ random, rates: begin, happened, note, broken }: Options) => {
  let rates = begin;
  let now = 0;
  let offset = 0;
  let highest = 0;
  let steps = 0;
  const pending: Call[] = [];
  const ready: number[] = [];
  const living: { process: Process; readonly body: (process: Process) => Promise<void> }[] = [];

  const draw = ({ least, most }: { readonly least: number; readonly most: number }) => random.between(least, most);

  /** Carried out when it is its turn; the promise never ends for a process that was killed meanwhile. */
  const call = <T>(process: Process, what: string, kind: Kind, act: () => T, due = now): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      if (!process.alive) return;
      const answer = resolve as (value: unknown) => void;
      const waits = rates.held > 0 && kind !== 'pause' && random.chance(rates.held);
      const from = waits ? due + random.between(1, 400) : due;
      pending.push({ process, what, kind, due: from, sent: false, act, outcome: undefined, resolve: answer, reject });
    });

  const spawn = (name: string, body: (process: Process) => Promise<void>): void => {
    const process: Process = { name, alive: true, frozenUntil: 0, faults: 0 };
    living.push({ process, body });
    note(() => `${name} starts`);
    body(process).catch(broken);
  };

  /** Begins anew after a while. Of what was under way some is carried out all the same, and nobody hears of it. */
  const kill = (process: Process, restartIn: number): void => {
    const slot = living.findIndex((one) => one.process === process);
    const [{ body } = { body: undefined }] = living.splice(slot, 1);
    process.alive = false;
    process.faults += 1;
    for (let at = pending.length - 1; at >= 0; at -= 1) {
      const one = pending[at];
      if (one?.process !== process || one.sent) continue;
      if (one.kind === 'write' && one.act !== undefined && random.chance(0.5)) {
        one.sent = true;
        one.due = now + (random.chance(0.5) ? 0 : draw(LATE));
        happened('carried out after the death of who asked');
      } else drop(at);
    }
    if (body === undefined) return;
    call(WORLD, 'starts', 'pause', () => spawn(process.name, body), now + restartIn).catch(broken);
  };

  const drop = (at: number): void => {
    const last = pending.pop();
    if (last !== undefined && at < pending.length) pending[at] = last;
  };

  const freeze = (process: Process): void => {
    const ms = draw(FROZEN);
    note(() => `${process.name} freezes for ${ms} ms`);
    process.frozenUntil = now + ms;
    process.faults += 1;
    for (const one of pending) {
      if (one.process !== process || one.kind === 'pause' || one.act === undefined || random.chance(0.5)) continue;
      one.sent = true;
      if (random.chance(0.5)) one.due = Math.max(one.due, now + draw(LATE));
    }
  };

  const isFree = ({ due, sent, act, process }: Call): boolean =>
    due <= now && (process.frozenUntil <= now || (sent && act !== undefined));
  const freeAt = ({ due, sent, act, process }: Call): number =>
    sent && act !== undefined ? due : Math.max(due, process.frozenUntil);

  /** The next call, at random among those that could be; where there is none, time passes until there is one. */
  const take = (): Call | undefined => {
    if (pending.length === 0) return undefined;
    ready.length = 0;
    for (let n = 0; n < pending.length; n += 1) if (isFree(pending[n] as Call)) ready.push(n);
    if (ready.length === 0) {
      let first = Number.POSITIVE_INFINITY;
      for (const one of pending) first = Math.min(first, freeAt(one));
      now = first;
      return take();
    }
    const chosen = ready[random.below(ready.length)] as number;
    const taken = pending[chosen];
    drop(chosen);
    return taken;
  };

  const outcomeOf = (act: () => unknown): Outcome => {
    try {
      return { value: act() };
    } catch (error) {
      return { error };
    }
  };
  const tell = ({ process, resolve, reject }: Call, outcome: Outcome): void => {
    if (!process.alive) return;
    if ('error' in outcome) reject(outcome.error);
    else resolve(outcome.value);
  };
  const fateOf = (kind: Kind): 'lost' | 'unanswered' | 'late' | 'slow' | undefined => {
    if (kind === 'pause') return undefined;
    let die = random.next();
    for (const fate of ['lost', 'slow', 'unanswered', 'late'] as const) {
      if (kind === 'read' && fate === 'unanswered') return undefined;
      if (die < rates[fate]) return fate;
      die -= rates[fate];
    }
    return undefined;
  };

  const perform = (one: Call): void => {
    const { process, act, kind, what } = one;
    if (act === undefined) {
      tell(one, one.outcome ?? { value: undefined });
      return;
    }
    if (one.sent && !process.alive) {
      note(() => `${process.name} is no more: ${what}`);
      outcomeOf(act);
      return;
    }
    const fate = fateOf(kind);
    if (fate !== undefined) {
      happened(`${kind} ${fate}`);
      process.faults += 1;
    }
    if (kind !== 'pause') note(() => `${process.name}: ${what}${fate === undefined ? '' : ` is ${fate}`}`);
    if (fate === 'lost') tell(one, { error: new Away('unavailable') });
    else if (fate === 'late') {
      pending.push({ ...one, process: { ...process, alive: false }, sent: true, due: now + draw(LATE) });
      tell(one, { error: new Away('outcome-unknown') });
    } else {
      const outcome = outcomeOf(act);
      if (fate === 'unanswered') tell(one, { error: new Away('outcome-unknown') });
      else if (fate === undefined && process.frozenUntil <= now) tell(one, outcome);
      else {
        one.act = undefined;
        one.outcome = outcome;
        if (fate === 'slow') one.due = now + draw(LATE);
        pending.push(one);
      }
    }
  };

  /** Sets the databases' clock. Leases end by it, so it may take its work away from anyone. */
  const set = (ahead: number): void => {
    note(() => `the databases' clock jumps by ${ahead - offset} ms`);
    offset = ahead;
    highest = Math.max(highest, ahead);
    for (const { process } of living) process.faults += 1;
  };

  const disturb = (): void => {
    if (random.chance(rates.killed) && living.length > 0) {
      const { process } = random.pick(living);
      happened('killed');
      note(() => `${process.name} is killed`);
      kill(process, draw(REBORN));
    }
    if (random.chance(rates.frozen) && living.length > 0) {
      happened('frozen');
      freeze(random.pick(living).process);
    }
    if (random.chance(rates.jumped)) {
      happened('clock jumped');
      set(offset + random.pick([-3 * 3_600_000, -20_000, 30_000, 2 * 86_400_000]));
    }
  };

  return {
    call,
    spawn,
    kill,
    pause: (process: Process, ms: number) => call(process, 'pause', 'pause', () => undefined, now + ms),
    /** ms since the world began, as processes count it. */
    now: () => now,
    /** The databases' clock, which may be set. */
    wall: () => now + offset + 1_000_000_000,
    steps: () => steps,
    processes: (): readonly Process[] => living.map(({ process }) => process),
    /** From here on nothing goes wrong any more, whoever was frozen goes on, and clocks have caught up. */
    calm: (): void => {
      rates = CALM;
      if (offset < highest) set(highest);
      for (const { process } of living) process.frozenUntil = Math.min(process.frozenUntil, now);
    },
    /** One call, and all that its process makes of the answer before it asks for the next. False when there is none. */
    step: async (): Promise<boolean> => {
      const one = take();
      if (one === undefined) return false;
      steps += 1;
      now += random.below(PACE);
      perform(one);
      if (rates !== CALM) disturb();
      await new Promise((resolve) => setImmediate(resolve));
      return true;
    },
  };
};
