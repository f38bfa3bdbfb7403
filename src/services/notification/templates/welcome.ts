/** To somebody who just registered. */
import type { WelcomeParams } from '#contracts/notification.ts';
import { link, prose } from './prose.ts';
import type { Template } from './template.ts';

export const welcome: Template<WelcomeParams> = {
  en: ({ username }, { home }) => ({
    subject: username === null ? 'Welcome to Taskwire' : `Welcome to Taskwire, ${username}`,
    paragraphs: [
      username === null ? prose`Hello,` : prose`Hello ${username},`,
      prose`Your account is ready. Log in with this address, and write down what you mean to do: you are told a day before something is due, and once it is overdue.`,
      link(home),
    ],
    footer: prose`You get this because somebody registered with this address. If it was not you, you can ignore it.`,
  }),
};
