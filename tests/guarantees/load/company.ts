/**
 * An installation whose processes come and go one by one. It is the server of a trial, which the end of one of them does
 * not end.
 */
import { asking } from '../../e2e/support/client.ts';
import type { Run, Server } from '../../e2e/support/product.ts';
import { until } from '../../support/until.ts';
import type { DistributedInstallation, Part } from '../kit/world.ts';

/** A process by what it is, and what sets it apart from others of its kind. */
export type Post = { readonly part: Part; readonly env?: Readonly<Record<string, string>> };
export type Company = Server & {
  /** Who is there by that name. */
  readonly at: (name: string) => Run;
  /** Takes the place of whoever was there before; resolves once it is ready. */
  begin(name: string, post?: Post): Promise<void>;
  /** kill -9, and its end. */
  kill(name: string): Promise<void>;
  /** SIGTERM, and its end: the exit code, and after how many ms. */
  stop(name: string): Promise<{ readonly code: number | null; readonly ms: number }>;
  /** What its processes printed that names something, such as a request: also those that are gone. */
  linesOf(name: string): readonly string[];
  /** Whether every gateway sends requests to a service: one of its copies is ready, and its breaker closed. */
  reaches(service: string): Promise<boolean>;
};

const isReady = /is ready at http/;

/** Resolves once the gateways, of which one must be among them, reach every service that is. */
const assemble = async (
  installation: DistributedInstallation,
  posts: Readonly<Record<string, Post>>,
): Promise<Company> => {
  const { url, startPart } = installation;
  const known = new Map(Object.entries(posts));
  const runs = new Map<string, Run>();
  const everyone: { readonly name: string; readonly run: Run }[] = [];
  const exit = Promise.withResolvers<Awaited<Run['exit']>>();
  const at = (name: string): Run => runs.get(name) ?? fail(`nobody is there as ${name}`);
  const begin: Company['begin'] = async (name, post = known.get(name)) => {
    if (post === undefined) return fail(`nobody knows what ${name} is`);
    known.set(name, post);
    const run = await startPart(post.part, { env: post.env ?? {} });
    runs.set(name, run);
    everyone.push({ name, run });
    await run.said(isReady).catch((error: unknown) => {
      throw new Error(`${name} said:\n${run.output()}`, { cause: error });
    });
  };
  const signal = (name: NodeJS.Signals): void => {
    for (const run of runs.values()) if (run.running()) run.signal(name);
    if (name === 'SIGKILL')
      void Promise.all([...runs.values()].map((run) => run.exit)).then(() =>
        exit.resolve({ code: null, signal: name }),
      );
  };
  const reaches = async (service: string): Promise<boolean> => {
    const reached = await Promise.all(url.split(',').map((one) => copiesReached(one, service)));
    return reached.every((copies) => copies > 0);
  };
  await Promise.all(Object.keys(posts).map((name) => begin(name)));
  const services = new Set(Object.values(posts).map(({ part }) => part));
  for (const service of services)
    if (service !== 'gateway')
      await until(`the gateway to reach the ${service} service`, () => reaches(service), 60_000);
  return {
    url,
    pid: at('gateway').pid,
    exit: exit.promise,
    signal,
    at,
    begin,
    reaches,
    linesOf: (about) =>
      everyone.flatMap(({ name, run }) =>
        run
          .output()
          .split('\n')
          .flatMap((line) => (line.includes(about) ? [`${name}: ${line}`] : [])),
      ),
    output: () => [...runs.values()].map((run) => run.output()).join('\n'),
    running: () => [...runs.values()].every((run) => run.running()),
    said: (pattern) => at('gateway').said(pattern),
    kill: async (name) => {
      at(name).signal('SIGKILL');
      await at(name).exit;
    },
    stop: async (name) => {
      const began = performance.now();
      at(name).signal('SIGTERM');
      const { code } = await at(name).exit;
      return { code, ms: performance.now() - began };
    },
  };
};

/** To how many copies of a service a gateway sends requests; none where it is away itself. */
export const copiesReached = async (gateway: string, service: string): Promise<number> => {
  const answer = await asking(gateway)('GET', '/health').catch(() => undefined);
  const parts = answer?.body?.parts as Parts | undefined;
  const { copies = [] } = parts?.[`gateway.${service}`] ?? {};
  return copies.filter(({ ready, breaker }) => ready && breaker === 'closed').length;
};
type Copy = { readonly ready: boolean; readonly breaker: string };
type Parts = Readonly<Record<string, { readonly copies?: readonly Copy[] } | undefined>>;
const fail = (why: string): never => {
  throw new Error(why);
};

/** One of each. */
export const ONE_OF_EACH: Readonly<Record<Part, Post>> = {
  user: { part: 'user' },
  task: { part: 'task' },
  notification: { part: 'notification' },
  gateway: { part: 'gateway' },
};

/** The installation, and the company that its last start assembled. */
export const staffed = (installation: DistributedInstallation, posts: Readonly<Record<string, Post>>) => {
  let company: Company | undefined;
  return {
    installation: {
      ...installation,
      start: async () => {
        company = await assemble(installation, posts);
        return company;
      },
    },
    company: (): Company => company ?? fail('nothing was started'),
  };
};
