import { inVitest } from './kit/in-vitest.ts';
import { startOrder } from './scenarios/start-order.ts';

inVitest(startOrder, 'distributed');
