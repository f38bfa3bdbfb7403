import { createHash } from 'node:crypto';

/**
 * Kafka's murmur2 over the bytes of a key (Austin Appleby's MurmurHash2 with the seed that Java's client uses), so that
 * a key lies in the same lane here and, partition counts being powers of two, on the same partition there.
 */
export const murmur2 = (bytes: Uint8Array): number => {
  const M = 0x5bd1e995;
  const { length } = bytes;
  const byte = (at: number): number => bytes[at] ?? 0;
  let hash = 0x9747b28c ^ length;
  const whole = length & ~3;
  for (let at = 0; at < whole; at += 4) {
    let k = byte(at) | (byte(at + 1) << 8) | (byte(at + 2) << 16) | (byte(at + 3) << 24);
    k = Math.imul(k, M);
    k ^= k >>> 24;
    hash = Math.imul(hash, M) ^ Math.imul(k, M);
  }
  const rest = length - whole;
  if (rest >= 3) hash ^= byte(whole + 2) << 16;
  if (rest >= 2) hash ^= byte(whole + 1) << 8;
  if (rest >= 1) hash = Math.imul(hash ^ byte(whole), M);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, M);
  return (hash ^ (hash >>> 15)) | 0;
};

const LONGEST_KEY = 500;
/** The key as it is kept in indexes: one that is longer than any of ours stands for itself by its hash. */
export const boundedKey = (key: string): string =>
  key.length <= LONGEST_KEY ? key : `sha256:${createHash('sha256').update(key).digest('base64url')}`;

/** Of every topic. */
export const LANES = 64;
/** The ordered slice of a topic, 0–63, in which all events of a key travel. */
export const laneOf = (key: string): number => (murmur2(new TextEncoder().encode(key)) & 0x7fffffff) % LANES;
