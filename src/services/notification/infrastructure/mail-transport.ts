/** The port behind which mails leave: whoever carries them. Adapters share one contract suite. */
import type { Provider } from '#contracts/notification.ts';
import type { EmailAddress } from '#contracts/user.ts';

export type OutgoingMail = {
  /** `<id@host>`: the same for the same mail, so that one which comes twice is recognised. */
  readonly messageId: string;
  readonly from: Sender;
  readonly to: EmailAddress;
  /** One line. */
  readonly subject: string;
  readonly text: string;
  readonly html: string;
};
export type Sender = { readonly name: string; readonly address: string };

export type MailTransport = {
  readonly provider: Provider;
  /**
   * Resolves once the mail was accepted. Rejects with MailRefused when it was not, or when that cannot be known: then it
   * may arrive all the same. Once the signal is given it ends, and lets go of what it holds.
   */
  send(mail: OutgoingMail, signal: AbortSignal): Promise<void>;
};

/** A mail was not accepted. permanent: it never will be; transient: another time, perhaps. */
export class MailRefused extends Error {
  override readonly name = 'MailRefused';
  readonly kind: 'permanent' | 'transient';
  /** Stable, and without a word of the mail: `smtp-550`, `timeout`. */
  readonly code: string;
  constructor(kind: 'permanent' | 'transient', code: string, cause?: unknown) {
    super(`a mail was not accepted: ${code}`, { cause });
    this.kind = kind;
    this.code = code;
  }
}

/** `Taskwire <no-reply@example.org>`, or an address alone. */
export const senderOf = (written: string): Sender => {
  const [, name = '', address = written] = /^(.*?)\s*<(.+)>$/.exec(written) ?? [];
  return { name, address };
};
