import { logBed } from './log-bed.ts';
import { busSuite } from './suite.ts';

busSuite(logBed());
