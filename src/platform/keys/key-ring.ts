/**
 * Each person's key for their personal fields. Keys lie wrapped with the master key in a schema of their own, with a
 * connection of its own, so that they can be kept and backed up apart from what they seal.
 */
import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, type KeyObject, randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { SubjectKey } from '../event-store/codec.ts';
import { type Database, statement } from '../sql/database.ts';

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

export const openKeyRing = (database: Database, masterKey: string): KeyRing => {
  const wrapping = Buffer.from(hkdfSync('sha256', masterKey, 'taskwire', 'subject keys', 32));
  const cache = new LRUCache<string, { readonly key: SubjectKey }>({ max: 50_000, ttl: CACHED_FOR });

  const remember = (subject: string, wrapped: Buffer | null): SubjectKey => {
    const key = wrapped === null ? 'destroyed' : createSecretKey(unwrap(wrapped, wrapping, subject));
    cache.set(subject, { key });
    return key;
  };

  return {
    keyFor: async (subject) => {
      let key = cache.get(subject)?.key;
      if (key === undefined) {
        const candidate = wrap(randomBytes(32), wrapping, subject);
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

const wrap = (key: Buffer, wrapping: Buffer, subject: string): Buffer => {
  const iv = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', wrapping, iv).setAAD(Buffer.from(subject));
  return Buffer.concat([iv, cipher.update(key), cipher.final(), cipher.getAuthTag()]);
};
const unwrap = (wrapped: Buffer, wrapping: Buffer, subject: string): Buffer => {
  const decipher = createDecipheriv('aes-256-gcm', wrapping, wrapped.subarray(0, 12))
    .setAAD(Buffer.from(subject))
    .setAuthTag(wrapped.subarray(-16));
  const key = decipher.update(wrapped.subarray(12, -16));
  try {
    return Buffer.concat([key, decipher.final()]);
  } catch (cause) {
    throw new Error(`the key of ${subject} was not wrapped with this MASTER_KEY`, { cause });
  }
};
