import { inVitest } from './kit/in-vitest.ts';
import { idempotency } from './scenarios/idempotency.ts';

inVitest(idempotency);
