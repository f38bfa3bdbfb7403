import { inVitest } from './kit/in-vitest.ts';
import { redisAway } from './scenarios/redis-away.ts';

inVitest(redisAway);
