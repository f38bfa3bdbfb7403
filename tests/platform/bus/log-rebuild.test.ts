import { logBed } from './log-bed.ts';
import { rebuildSuite } from './rebuild-suite.ts';

rebuildSuite(logBed());
