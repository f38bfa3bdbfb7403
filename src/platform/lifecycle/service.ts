/** A service as a process sees it: something to mount, to ask how it is, and to close. */
import type { HealthCheck } from '../http/health.ts';
import type { ProblemTable } from '../http/problems.ts';
import type { Routes } from '../http/server.ts';

export type Service = {
  readonly name: string;
  readonly routes: Routes;
  readonly problems: ProblemTable;
  readonly health: HealthCheck;
  close(): Promise<void>;
};
