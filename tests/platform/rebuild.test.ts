import { testBed } from './bed.ts';
import { rebuildSuite } from './suites/rebuild.ts';

rebuildSuite(testBed());
