/**
 * Each person's key for their personal fields. Keys lie wrapped with the master key in a schema of their own, with a
 * connection of its own, so that they can be kept and backed up apart from what they seal.
 */
import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { SubjectKey } from '../event-store/codec.ts';
import { type Database, statement } from '../sql/database.ts';
import { createWrapping } from './wrapping.ts';

export type KeyRing = {
  /** The subject's key, made at the first use, in a transaction of its own. Throws SubjectErased for a destroyed one. */
  keyFor(subject: string): Promise<KeyObject>;
  /** The keys of some subjects (nulls are passed over), to be asked one by one; undefined where there never was one. */
  keysOf(subjects: readonly (string | null)[]): Promise<(subject: string) => SubjectKey | undefined>;
};

/** A destroyed key lives on in a process's memory for at most this long: the promise of erasure counts on it. */
const CACHED_FOR = 5 * 60_000;
const KEY_FOR = statement('key-for', 'select key_for($1, $2) as wrapped');
const KEYS_OF = statement('keys-of', 'select subject, wrapped from subject_key where subject = any($1)');

export class SubjectErased extends Error {
  override readonly name = 'SubjectErased';
}

/** `masterKey` may be several secrets (secret-list.ts): new keys lie under the newest, and any of them opens. */
export const openKeyRing = (database: Database, masterKey: string): KeyRing => {
  const { wrap, unwrap } = createWrapping(masterKey);
  const cache = new LRUCache<string, { readonly key: SubjectKey }>({ max: 50_000, ttl: CACHED_FOR });

  const remember = (subject: string, wrapped: Buffer | null): SubjectKey => {
    const unwrapped = wrapped === null ? 'destroyed' : unwrap(wrapped, subject);
    if (unwrapped === undefined) throw new Error(`the key of ${subject} lies under none of the secrets in MASTER_KEY`);
    const key = unwrapped === 'destroyed' ? unwrapped : createSecretKey(unwrapped.key);
    cache.set(subject, { key });
    return key;
  };

  return {
    keyFor: async (subject) => {
      let key = cache.get(subject)?.key;
      if (key === undefined) {
        const candidate = wrap(randomBytes(32), subject);
        const [row] = await database.write<{ wrapped: Buffer | null }>(KEY_FOR, [subject, candidate]);
        key = remember(subject, row?.wrapped ?? null);
      }
      if (key === 'destroyed') throw new SubjectErased(`the key of ${subject} was destroyed`);
      return key;
    },
    keysOf: async (subjects) => {
      const wanted = new Set(subjects.filter((subject) => subject !== null));
      const keys = new Map<string, SubjectKey>();
      for (const subject of wanted) {
        const cached = cache.get(subject);
        if (cached) keys.set(subject, cached.key);
      }
      const missing = [...wanted].filter((subject) => !keys.has(subject));
      if (missing.length > 0) {
        const rows = await database.read<{ subject: string; wrapped: Buffer | null }>(KEYS_OF, [missing]);
        for (const { subject, wrapped } of rows) keys.set(subject, remember(subject, wrapped));
      }
      return (subject) => keys.get(subject);
    },
  };
};
