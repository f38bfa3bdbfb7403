import { inVitest } from './kit/in-vitest.ts';
import { connectionsCut, connectionsUsedUp, databaseFrozen, databaseKilled } from './scenarios/database-away.ts';

for (const one of [databaseKilled, databaseFrozen, connectionsCut, connectionsUsedUp]) inVitest(one);
