import { inVitest } from './kit/in-vitest.ts';
import { bounded } from './scenarios/bounded.ts';

inVitest(bounded);
