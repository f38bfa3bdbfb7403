import { inVitest } from './kit/in-vitest.ts';
import { rebuild } from './scenarios/rebuild.ts';

inVitest(rebuild);
