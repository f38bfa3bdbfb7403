import { inVitest } from './kit/in-vitest.ts';
import { fullDisk } from './scenarios/full-disk.ts';

inVitest(fullDisk);
