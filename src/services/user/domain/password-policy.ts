/** Which passwords are refused (NIST SP 800-63B-4, OWASP ASVS 5.0 6.2): length and guessability, no composition rules. */

export type PasswordFlaw = 'too-short' | 'too-long' | 'too-common' | 'names-the-account';
export const PASSWORD_MAX_LENGTH = 256;

/** `isCommon` is asked with the password in lower case. Lengths count characters, not code units. */
export const passwordFlaw = (
  password: string,
  account: { readonly email: string; readonly username: string },
  minLength: number,
  isCommon: (password: string) => boolean,
): PasswordFlaw | undefined => {
  const normal = password.normalize('NFC');
  const length = [...normal].length;
  if (length < minLength) return 'too-short';
  if (length > PASSWORD_MAX_LENGTH) return 'too-long';
  const lower = normal.toLowerCase();
  if (isCommon(lower)) return 'too-common';
  const { email, username } = account;
  const names = [email, email.split('@', 1)[0] ?? '', username].map((name) => name.toLowerCase());
  // "ada.lovelace1815!" is the name with what every guesser appends.
  const core = lower.replace(/^[^\p{L}]+|[^\p{L}]+$/gu, '');
  return names.some((name) => name === lower || name === core) ? 'names-the-account' : undefined;
};
