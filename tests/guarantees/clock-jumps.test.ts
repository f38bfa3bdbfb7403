import { inVitest } from './kit/in-vitest.ts';
import { clockJumps } from './scenarios/clock-jumps.ts';

inVitest(clockJumps);
