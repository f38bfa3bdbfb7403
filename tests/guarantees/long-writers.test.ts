import { inVitest } from './kit/in-vitest.ts';
import { longWriters } from './scenarios/long-writers.ts';

inVitest(longWriters);
