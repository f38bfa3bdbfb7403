import { testBed } from './bed.ts';
import { commitsSuite } from './suites/commits.ts';
import { correlatedSuite } from './suites/correlated.ts';
import { publishedSuite } from './suites/published.ts';
import { versionsSuite } from './suites/versions.ts';

const bed = testBed();
versionsSuite(bed);
commitsSuite(bed);
publishedSuite(bed);
correlatedSuite(bed);
