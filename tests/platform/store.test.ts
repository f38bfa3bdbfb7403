import { testBed } from './bed.ts';
import { commitsSuite } from './suites/commits.ts';
import { versionsSuite } from './suites/versions.ts';

const bed = testBed();
versionsSuite(bed);
commitsSuite(bed);
