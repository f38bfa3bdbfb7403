/** A target in a process of its own, on a database of its own. */
import { createDatabase, type Server } from './postgres.ts';
import { cpuTime, tree, workingIn } from './proc.ts';
import { freePort, startService } from './service.ts';
import { Subject } from './subject.ts';
import type { Target } from './targets.ts';

/** Ends with `running`. */
export async function startContestant(
  target: Target,
  server: Server,
  folder: string,
  running: AsyncDisposableStack,
): Promise<Subject> {
  await target.prepare();
  const name = target.name.toLowerCase();
  const database = await createDatabase(server, `bench_${name}`);
  const port = await freePort();
  const { pid } = running.use(await startService(name, target.command(database, port, `${folder}/${name}`), port));
  const origin = `http://127.0.0.1:${port}`;
  const { settled } = target;
  return new Subject({
    port,
    keyed: target.keyed,
    due: target.due,
    signIn: () => target.signIn(`${origin}/api/v1`),
    ...(settled && { settled: () => settled(origin) }),
    cpu: () => ({ service: cpuTime(tree(pid)), postgres: cpuTime(workingIn(server.folder)) }),
  });
}
