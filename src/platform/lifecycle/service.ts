/** A service as a process sees it: something to mount, to ask how it is, and to close. */
import type { KeySet } from '../auth/tokens.ts';
import type { Config } from '../config/config.ts';
import type { Secrets } from '../config/secrets.ts';
import type { EventBus } from '../event-bus/bus.ts';
import type { CatchUp } from '../event-bus/consistency.ts';
import type { ConsumerHealth } from '../event-bus/consumers.ts';
import type { HealthCheck } from '../http/health.ts';
import type { ProblemTable } from '../http/problems.ts';
import type { Routes } from '../http/server.ts';
import type { Entry } from '../http/welcome.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { ServicePlacement } from './service-kit.ts';

/** What a service is opened with, and of the secrets those that it names. */
export type Opening<Uses extends keyof Secrets> = {
  readonly config: Config;
  readonly secrets: Pick<Secrets, Uses>;
  readonly where: ServicePlacement;
  readonly bus: EventBus;
  readonly logger: Logger;
};

export type Service = {
  readonly name: string;
  readonly routes: Routes;
  /** Pages for people, outside the API, and the way in for whoever comes to the front door. */
  readonly pages?: { readonly routes: Routes; readonly entry: Entry };
  readonly problems: ProblemTable;
  /** The public keys of the access tokens that it issues; missing where it issues none. */
  readonly keySet?: KeySet;
  readonly health: HealthCheck;
  /** What else it does by itself, by name, and whether that falls behind. */
  readonly duties?: Readonly<Record<string, HealthCheck>>;
  /** Where its consumers stand; none where it hears of nobody. */
  readonly consumers?: () => Promise<readonly ConsumerHealth[]>;
  /** Lets a read wait until its consumers have heard of a write; missing where it hears of nobody. */
  readonly catchUp?: CatchUp;
  /** What goes on by itself: consumers, jobs, timers; missing where nothing does. */
  readonly background?: {
    /** Rejects where it must not begin. */
    start(): Promise<void>;
    /** Waits for what is under way; requests are answered still. */
    stop(): Promise<void>;
  };
  /** Lets go of the database; the last of all. */
  close(): Promise<void>;
};
