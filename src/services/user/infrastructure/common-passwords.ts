/** The most common passwords of known leaks, bundled: nobody outside is asked. Loaded when the first one is checked. */
let common: Promise<ReadonlySet<string>> | undefined;

export const commonPasswords = (): Promise<ReadonlySet<string>> => {
  common ??= import('@zxcvbn-ts/language-common').then(({ dictionary }) => new Set(dictionary['passwords-common']));
  return common;
};
