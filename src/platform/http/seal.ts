/** Words of ours that a client carries back to us: readable and writable by us alone (AES-256-GCM). */
import { createCipheriv, createDecipheriv, type KeyObject } from 'node:crypto';
import { freshBytes } from '../keys/random.ts';
import { keysFor } from '../keys/secret-list.ts';

export type Seal = {
  /** base64url, a third longer than the text and 28 bytes. */
  seal(text: string): string;
  /** undefined for whatever this seal did not make. */
  open(sealed: string): string | undefined;
};

/**
 * What is sealed for one purpose opens for no other, and nowhere without the secret. Of several (secret-list.ts) the
 * newest seals, and each opens what it sealed.
 */
export const createSeal = (secret: string, purpose: string): Seal => {
  const keys = keysFor(secret, purpose);
  return {
    seal: (text) => {
      const iv = freshBytes(12);
      const cipher = createCipheriv('aes-256-gcm', keys[0], iv);
      return Buffer.concat([iv, cipher.update(text), cipher.final(), cipher.getAuthTag()]).toString('base64url');
    },
    open: (sealed) => {
      const bytes = Buffer.from(sealed, 'base64url');
      for (const key of keys) {
        const text = tryOpen(bytes, key);
        if (text !== undefined) return text;
      }
      return undefined;
    },
  };
};

const tryOpen = (bytes: Buffer, key: KeyObject): string | undefined => {
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12), { authTagLength: 16 });
    decipher.setAuthTag(bytes.subarray(-16));
    return decipher.update(bytes.subarray(12, -16), undefined, 'utf8') + decipher.final('utf8');
  } catch {
    return undefined; // whatever is wrong with it, this key did not seal it; the caller says so
  }
};
