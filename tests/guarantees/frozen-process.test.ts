import { inVitest } from './kit/in-vitest.ts';
import { frozenProcess } from './scenarios/frozen-process.ts';

inVitest(frozenProcess);
