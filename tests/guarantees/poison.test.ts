import { inVitest } from './kit/in-vitest.ts';
import { poison } from './scenarios/poison.ts';

inVitest(poison);
