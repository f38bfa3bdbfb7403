/** What a scenario needs of the system that it tries, whatever processes that consists of. */

import type { Cluster } from '../../../scripts/kafka/cluster.ts';
import type { DatabaseAddress } from '../../../src/platform/sql/connection.ts';
import type { Run, RunOptions, Server } from '../../e2e/support/product.ts';
import type { Sql } from '../../support/sql.ts';

export type StartOptions = {
  /** Kills itself there. */
  readonly failPoint?: string | undefined;
  readonly env?: Readonly<Record<string, string>>;
};
/** Data, and whatever runs on it: one start after another, or several at once where they are told to. */
export type Installation = {
  /** Resolves when it answers. */
  start(options?: StartOptions): Promise<Server>;
  /** One more on the same database, beside the one that holds it. */
  join(options?: StartOptions): Promise<Server>;
  /** The operator's command, beside it. */
  taskwire(args: readonly string[], options?: RunOptions): Run;
  /** As the superuser, behind the product's back, while it runs. */
  readonly sql: Sql;
  address(): Promise<DatabaseAddress>;
  /** The database's main process. */
  postmaster(): Promise<number>;
};
/** A process of its own kind. */
export type Part = 'user' | 'task' | 'notification' | 'gateway';
/** The same as a process for each service, on brokers. */
export type DistributedInstallation = Installation & {
  /** One of the processes alone, where another one of its kind may have been before. */
  startPart(part: Part, options?: StartOptions): Promise<Run>;
  /** Where its gateway answers, when it runs. */
  readonly url: string;
  readonly cluster: Cluster;
  /** Its PostgreSQL server, to be away for a while. */
  readonly database: { stop(): Promise<void>; begin(): Promise<void> };
};
type Kit<Topology extends string, Installed> = {
  readonly topology: Topology;
  /** `env` is given to every start. */
  install(env?: Readonly<Record<string, string>>): Promise<Installed>;
  /** A program of ours beside it, such as a naive server. */
  program(file: string, args: readonly string[], options?: RunOptions): Run;
  /** An empty database of a server of its own: for what is no installation of the product. */
  emptyDatabase(): Promise<{ readonly address: DatabaseAddress; readonly sql: Sql }>;
  /** Ends all of it; another scenario may begin then. */
  clear(): Promise<void>;
  /** The same, and for good. */
  close(): Promise<void>;
};
export type EmbeddedWorld = Kit<'embedded', Installation>;
type InstallOptions = {
  /** By default one. With three, all lies on each of them, and two must acknowledge. */
  readonly brokers?: 1 | 3;
  /** Without schemas and topics. */
  readonly isBare?: boolean;
};
export type DistributedWorld = Omit<Kit<'distributed', DistributedInstallation>, 'install'> & {
  install(env?: Readonly<Record<string, string>>, options?: InstallOptions): Promise<DistributedInstallation>;
};
export type World = EmbeddedWorld | DistributedWorld;

/** For scenarios that are about several processes. */
export const distributed = (world: World): DistributedWorld => {
  if (world.topology !== 'distributed') throw new Error('this scenario is about several processes');
  return world;
};
