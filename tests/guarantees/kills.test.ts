import { inVitest } from './kit/in-vitest.ts';
import { kills } from './scenarios/kills.ts';

inVitest(kills);
