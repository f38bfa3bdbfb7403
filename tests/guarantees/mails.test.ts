import { inVitest } from './kit/in-vitest.ts';
import { mails } from './scenarios/mails.ts';

inVitest(mails);
