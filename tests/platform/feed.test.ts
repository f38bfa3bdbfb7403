import { testBed } from './bed.ts';
import { feedSuite } from './suites/feed.ts';

feedSuite(testBed());
