import { inVitest } from './kit/in-vitest.ts';
import { brokerAway } from './scenarios/broker-away.ts';
import { kills } from './scenarios/kills.ts';
import { twins } from './scenarios/twins.ts';

for (const scenario of [kills, brokerAway, twins]) inVitest(scenario, 'distributed');
