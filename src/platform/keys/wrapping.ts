/** A person's key as it lies: encrypted under MASTER_KEY (AES-256-GCM), and bound to whose it is. */
import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from 'node:crypto';
import { keysFor } from './secret-list.ts';

export type Wrapping = {
  /** Under the newest secret. */
  wrap(key: Buffer, subject: string): Buffer;
  /** The key, and which secret it lies under, 0 = the newest; undefined where it is none of these. */
  unwrap(wrapped: Buffer, subject: string): Unwrapped | undefined;
};
type Unwrapped = { readonly key: Buffer; readonly under: number };

/**
 * AES-256-GCM with the subject as associated data: a wrapped key opens for nobody else. `masterKey` is a list of
 * secrets (secret-list.ts).
 */
export const createWrapping = (masterKey: string): Wrapping => {
  const secrets = keysFor(masterKey, 'subject keys');
  return {
    wrap: (key, subject) => {
      const iv = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', secrets[0], iv).setAAD(Buffer.from(subject));
      return Buffer.concat([iv, cipher.update(key), cipher.final(), cipher.getAuthTag()]);
    },
    unwrap: (wrapped, subject) => {
      for (const [under, secret] of secrets.entries()) {
        const key = tryUnwrap(wrapped, secret, subject);
        if (key) return { key, under };
      }
      return undefined;
    },
  };
};

const tryUnwrap = (wrapped: Buffer, secret: KeyObject, subject: string): Buffer | undefined => {
  try {
    const decipher = createDecipheriv('aes-256-gcm', secret, wrapped.subarray(0, 12), { authTagLength: 16 })
      .setAAD(Buffer.from(subject))
      .setAuthTag(wrapped.subarray(-16));
    return Buffer.concat([decipher.update(wrapped.subarray(12, -16)), decipher.final()]);
  } catch {
    return undefined; // under another secret, or damaged: nobody could tell these apart
  }
};
