/** Every scenario, in the order in which they are run. */
import type { Scenario } from '../kit/scenario.ts';
import { bounded } from './bounded.ts';
import { brokerAway } from './broker-away.ts';
import { clockJumps } from './clock-jumps.ts';
import { connectionsCut, connectionsUsedUp, databaseFrozen, databaseKilled, databaseStopped } from './database-away.ts';
import { flapping } from './flapping.ts';
import { frozenProcess } from './frozen-process.ts';
import { fullDisk } from './full-disk.ts';
import { idempotency } from './idempotency.ts';
import { joining } from './joining.ts';
import { kills } from './kills.ts';
import { leaderAway } from './leader-away.ts';
import { longWriters } from './long-writers.ts';
import { mails } from './mails.ts';
import { newGroup } from './new-group.ts';
import { parts } from './parts.ts';
import { poison } from './poison.ts';
import { rebuild } from './rebuild.ts';
import { redisAway } from './redis-away.ts';
import { relays } from './relays.ts';
import { rollingRestart } from './rolling-restart.ts';
import { startOrder } from './start-order.ts';
import { strays } from './strays.ts';
import { twins } from './twins.ts';

export const SCENARIOS: readonly Scenario[] = [
  kills,
  mails,
  frozenProcess,
  poison,
  idempotency,
  longWriters,
  databaseKilled,
  databaseStopped,
  databaseFrozen,
  connectionsCut,
  connectionsUsedUp,
  redisAway,
  brokerAway,
  leaderAway,
  relays,
  parts,
  newGroup,
  joining,
  twins,
  strays,
  rollingRestart,
  flapping,
  startOrder,
  rebuild,
  fullDisk,
  clockJumps,
  bounded,
];
