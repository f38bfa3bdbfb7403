/** All copies of one service, kept up to date: found anew as names change, asked how they are, chosen from. */
import { chooseCopy } from '#platform/resilience/balance.ts';
import { collecting } from '#platform/telemetry/collectors.ts';
import type { Logger } from '#platform/telemetry/logger.ts';
import { gauges } from '#platform/telemetry/metrics.ts';
import { type Copy, openCopy } from './copy.ts';
import { addressesOf, type CopyAddress, type Lookup } from './discovery.ts';

export type Copies = {
  /** The best that is none of `tried`; undefined where there is none to ask. */
  choose(tried: ReadonlySet<Copy>): Copy | undefined;
  readonly states: () => readonly ReturnType<Copy['state']>[];
  readonly all: () => readonly Copy[];
  close(ms: number): Promise<void>;
};
export type CopiesOptions = {
  readonly service: string;
  readonly origins: readonly string[];
  readonly logger: Logger;
  readonly lookUp?: Lookup;
};

const BREAKERS = ['closed', 'half-open', 'open'] as const;
const PROBE_EVERY = 500;
const RESOLVE_EVERY = 5_000;
/** ms that what is under way at a copy gets once its name does not lead there any more. */
const LAST_ANSWERS = 30_000;

/** Returns once the names were looked up, and each copy asked, for the first time; where that fails, they are tried again. */
export const openCopies = async (options: CopiesOptions): Promise<Copies> => {
  const { service, origins, logger, lookUp } = options;
  let copies: readonly Copy[] = [];
  let turn = 0;
  const resolve = async (): Promise<void> => {
    const found = await Promise.allSettled(origins.map((origin) => addressesOf(origin, lookUp)));
    const failed = found.find((one) => one.status === 'rejected');
    // Of a name that is not answered for now, nothing new is known: whoever was there is there still.
    if (failed) return logger.warn('a name cannot be resolved', { service, error: failed.reason });
    const addresses = found.flatMap((one) => (one.status === 'fulfilled' ? one.value : []));
    const gone = copies.filter(({ address }) => !addresses.some((one) => isSame(one, address)));
    const kept = copies.filter((copy) => !gone.includes(copy));
    const fresh = addresses.filter((address) => !kept.some((copy) => isSame(address, copy.address)));
    const opened = fresh.map((address) => openCopy(service, address, logger));
    // One that is not ready gets nothing while others are: whoever came while it starts would be refused for want of a probe.
    await Promise.all(opened.map((copy) => copy.probe()));
    copies = [...kept, ...opened];
    for (const copy of gone) void copy.close(LAST_ANSWERS);
  };
  const probing = every(PROBE_EVERY, async () => void (await Promise.all(copies.map((copy) => copy.probe()))));
  const resolving = every(RESOLVE_EVERY, resolve);
  await resolve();
  const stopCollecting = collecting('upstreams', () => {
    const states = copies.map((copy) => copy.state());
    const count = (breaker: string) => states.filter((state) => state.breaker === breaker).length;
    return [
      ...BREAKERS.map((breaker) => () => gauges.copies.set({ service, breaker }, count(breaker))),
      () => gauges.readyCopies.set({ service }, states.filter(({ ready }) => ready).length),
    ];
  });
  return {
    choose: (tried) => {
      const untried = copies.filter((copy) => !tried.has(copy));
      turn += 1;
      const chosen = chooseCopy(
        untried.map((copy) => copy.candidate()),
        turn,
      );
      return chosen === undefined ? undefined : untried[chosen];
    },
    states: () => copies.map((copy) => copy.state()),
    all: () => copies,
    close: async (ms) => {
      stopCollecting();
      for (const timer of [probing, resolving]) clearInterval(timer);
      await Promise.all(copies.map((copy) => copy.close(ms)));
    },
  };
};

const isSame = (one: CopyAddress, other: CopyAddress): boolean =>
  one.origin === other.origin && one.host === other.host;

/** Rounds that do not overlap: one that takes long is not joined by the next. */
const every = (ms: number, round: () => Promise<void>): NodeJS.Timeout => {
  let running = false;
  return setInterval(() => {
    if (running) return;
    running = true;
    void round().finally(() => {
      running = false;
    });
  }, ms).unref();
};
