/**
 * The public keys of whoever issues tokens, in processes that only verify them: fetched at the start or when a token first
 * needs them, and again when they are old or a token names one that is not among them. Whoever issues may be away: what was
 * fetched once goes on being trusted. (jose's own remote set forgets its keys then, and knows one address only.)
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { JWK } from 'jose';
import type { Refusal } from '../resilience/refusal.ts';
import type { KeySet, KeySource } from './tokens.ts';

/** It cannot be told whether a token is good: neither accepted nor refused. */
class KeysUnavailable extends Error {
  override readonly name = 'KeysUnavailable';
  readonly refusal: Refusal = 'unavailable';
}

/** ms; a key that was taken out of the set verifies here for so long, and its tokens live ten minutes anyway. */
const FRESH = 5 * 60_000;
/** ms; tokens with made-up key ids make us ask no more often than this. */
const COOL_DOWN = { answered: 5_000, failed: 200 } as const;
const PATIENCE = 2_000;

/** `addresses` are copies of one service; the first answer is enough. Throws KeysUnavailable. */
export const remoteKeys = (addresses: readonly string[], clock: () => number = () => performance.now()): KeySource => {
  let known: KeySet | undefined;
  let last: { readonly at: number; readonly how: keyof typeof COOL_DOWN } = {
    at: Number.NEGATIVE_INFINITY,
    how: 'failed',
  };
  let looking: Promise<KeySet> | undefined;
  const look = async (): Promise<KeySet> => {
    try {
      // Before any are known nobody can be answered: whoever comes just after a look that failed waits for the next one.
      if (known === undefined) await sleep(Math.max(0, COOL_DOWN.failed - (clock() - last.at)));
      known = await fetchKeys(addresses);
      last = { at: clock(), how: 'answered' };
      return known;
    } catch (error) {
      last = { at: clock(), how: 'failed' };
      throw new KeysUnavailable('the keys of tokens cannot be fetched', { cause: error });
    } finally {
      looking = undefined;
    }
  };
  const lookOnce = (): Promise<KeySet> => {
    looking ??= look();
    return looking;
  };
  return async (kid) => {
    const age = clock() - last.at;
    if (known?.keys.some((key) => key.kid === kid)) {
      if (age > (last.how === 'failed' ? COOL_DOWN.failed : FRESH)) lookOnce().catch(() => undefined); // the next one tries again
      return known;
    }
    if (known === undefined || looking !== undefined || age >= COOL_DOWN[last.how]) return lookOnce();
    if (last.how === 'failed') throw new KeysUnavailable('it is not known whether there is such a key');
    return known;
  };
};

/**
 * Asks for keys until there are some, so that they are here should whoever issues them go before the first token comes: a
 * copy that had just begun answered nobody then. Resolves then, or once `signal` is aborted.
 */
export const fetchAhead = async (source: KeySource, signal: AbortSignal): Promise<void> => {
  while (!signal.aborted) {
    try {
      await source(undefined);
      return;
    } catch {
      // Whoever issues is not there yet, and the next look rests before it asks.
    }
  }
};

/** Of all copies at once: one that is just beginning, or hangs, would keep whoever asks from the next one for seconds. */
const fetchKeys = async (addresses: readonly string[]): Promise<KeySet> => {
  const enough = new AbortController();
  const signal = AbortSignal.any([enough.signal, AbortSignal.timeout(PATIENCE)]);
  const keysOf = async (address: string): Promise<KeySet> => {
    const answer = await fetch(`${address}/.well-known/jwks.json`, { redirect: 'error', signal });
    return keysIn(answer.ok ? await answer.json() : undefined);
  };
  try {
    return await Promise.any(addresses.map(keysOf));
  } finally {
    enough.abort();
  }
};

/** Only those that could verify a token of ours; an answer without any is none. */
const keysIn = (answer: unknown): KeySet => {
  const keys = typeof answer === 'object' && answer !== null && 'keys' in answer ? answer.keys : undefined;
  const usable = (Array.isArray(keys) ? keys : []).filter(
    (key: Partial<JWK> | null) => key?.kty === 'EC' && key.crv === 'P-256' && typeof key.kid === 'string',
  );
  if (usable.length === 0) throw new Error('there are no keys in the answer');
  return { keys: usable };
};
