import { inVitest } from './kit/in-vitest.ts';
import { brokerAway } from './scenarios/broker-away.ts';
import { flapping } from './scenarios/flapping.ts';
import { kills } from './scenarios/kills.ts';
import { rollingRestart } from './scenarios/rolling-restart.ts';
import { twins } from './scenarios/twins.ts';

for (const scenario of [kills, brokerAway, twins, rollingRestart, flapping]) inVitest(scenario, 'distributed');
