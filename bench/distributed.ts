/** The product as people run it where one machine is not enough: a process for each service, and a gateway in front. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { migrationTargets, topicsOf } from '../src/installation.ts';
import { parseConfig } from '../src/platform/config/config.ts';
import { applyTopics } from '../src/platform/event-bus/kafka/topics.ts';
import { migrate } from '../src/platform/migrations/migrate.ts';
import { until } from './bed.ts';
import type { Broker } from './broker.ts';
import { ROOT } from './paths.ts';
import { createDatabase, environment, type Server } from './postgres.ts';
import { cpuTime, sum, tree, workingIn } from './proc.ts';
import { hold } from './quota.ts';
import { freePort, startService } from './service.ts';
import { eventsSettled } from './settled.ts';
import { type Place, Subject } from './subject.ts';
import { listening, TARGETS } from './targets.ts';

export type Installation = {
  /** Where each copy of the task service listens. */
  readonly taskPorts: readonly number[];
  readonly addTask: () => Promise<void>;
  /** How much of a core each copy of the task service may use, until that is disposed of. */
  readonly limitTasks: (share: number) => Disposable;
  /** A gateway in front of all copies that there are, in place of the one before; answers its port. */
  readonly moveGateway: () => Promise<number>;
  /** Asked at a port, by a user of whom the installation knows. */
  readonly subjectAt: (port: number) => Subject;
  readonly close: () => Promise<void>;
};
/** Whose CPU is told apart: copies of a kind together, the user and the notification service as `others`. */
export const KINDS = ['gateway', 'task', 'others', 'PostgreSQL', 'Kafka', 'load'] as const;
type Kind = (typeof KINDS)[number];

const LOOK_AGAIN = 50;

/** With one copy of each service; no gateway yet. */
export async function startInstallation(
  { server, broker, folder }: { readonly server: Server; readonly broker: Broker; readonly folder: string },
  name: string,
): Promise<Installation> {
  const database = await createDatabase(server, `bench_${name}`);
  for (const target of migrationTargets(parseConfig({}), database)) await migrate(target);
  await applyTopics(broker.settings, topicsOf(parseConfig({})));
  const [user, notification] = [await freePort(), await freePort()];
  const common = {
    ...environment(database),
    KAFKA_BOOTSTRAP_SERVERS: broker.settings.bootstrapServers.join(','),
    DATA_DIR: `${folder}/${name}`,
    MASTER_KEY: randomUUID(),
    PASSWORD_PEPPER: randomUUID(),
    PUBLIC_URL: 'http://localhost:8000',
    USER_SERVICE_URL: at(user),
    NOTIFICATION_SERVICE_URL: at(notification),
  };
  const running = new AsyncDisposableStack();
  const pids = new Map<Kind, number[]>();
  const start = async (kind: Kind, what: string, port: number, more: Readonly<Record<string, string>>) => {
    const args = ['bin/taskwire.js', 'start', what];
    const env = { ...common, ...listening(port), ...more };
    const command = { command: process.execPath, args, cwd: ROOT, env };
    const log = `${name}-${more.INSTANCE_ID ?? what}`;
    const service = await startService(log, command, port);
    pids.set(kind, [...(pids.get(kind) ?? []), service.pid]);
    return service;
  };
  const taskPorts: number[] = [];
  const addTask = async () => {
    const port = await freePort();
    running.use(
      await start('task', 'task', port, { TASK_PORT: String(port), INSTANCE_ID: `task-${taskPorts.length}` }),
    );
    taskPorts.push(port);
  };
  const limitTasks = (share: number): Disposable => {
    const held = new DisposableStack();
    const copies = pids.get('task') ?? [];
    for (const [copy, pid] of copies.entries()) held.use(hold(`${name}-${copy}`, tree(pid), share));
    return held;
  };
  const cpu = (): Record<Kind, number> => {
    const of = (kind: Kind): number => sum((pids.get(kind) ?? []).map((pid) => cpuTime(tree(pid))));
    const ours = { gateway: of('gateway'), task: of('task'), others: of('others') };
    return {
      ...ours,
      PostgreSQL: cpuTime(workingIn(server.folder)),
      Kafka: broker.cpu(),
      load: cpuTime([process.pid]),
    };
  };
  let gateway: Awaited<ReturnType<typeof start>> | undefined;
  let front = '';
  running.use(await start('others', 'user', user, { USER_PORT: String(user) }));
  running.use(await start('others', 'notification', notification, { NOTIFICATION_PORT: String(notification) }));
  await addTask();
  return {
    taskPorts,
    addTask,
    limitTasks,
    moveGateway: async () => {
      await gateway?.[Symbol.asyncDispose]();
      pids.delete('gateway');
      const port = await freePort();
      gateway = await start('gateway', 'gateway', port, { TASK_SERVICE_URL: taskPorts.map(at).join(',') });
      front = at(port);
      await until('the gateway to see all copies', () => seesAll(front));
      return port;
    },
    subjectAt: (port) => {
      const { keyed, due, signIn } = TARGETS.ours;
      const place: Place = {
        port,
        keyed,
        due,
        cpu,
        signIn: () => signIn(`${front}/api/v1`),
        settled: () => eventsSettled(front),
      };
      return new Subject(place);
    },
    close: async () => {
      await gateway?.[Symbol.asyncDispose]();
      await running.disposeAsync();
    },
  };
}

const at = (port: number): string => `http://127.0.0.1:${port}`;

type Health = { readonly parts: Readonly<Record<string, { readonly status: string } | undefined>> };
/** Whether each copy of each service would be sent requests. */
const seesAll = async (gateway: string): Promise<boolean> => {
  const { parts } = (await (await fetch(`${gateway}/health`)).json()) as Health;
  if (['user', 'task', 'notification'].every((name) => parts[`gateway.${name}`]?.status === 'ok')) return true;
  await sleep(LOOK_AGAIN);
  return false;
};
