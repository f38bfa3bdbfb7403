/** A real redis-server on a free port, to be killed, frozen, flushed and started again. It ends with its parent. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './free-port.ts';
import { findOnPath, requirement } from './requires.ts';
import { until } from './until.ts';

export const REDIS = {
  name: 'redis-server',
  cure: 'apt-get install redis-server',
  probe: () => findOnPath('redis-server'),
};
export const redis = requirement(REDIS.name, REDIS.cure, REDIS.probe);

export type RedisServer = {
  readonly port: number;
  /** Sends a command over a connection of its own; answers what `redis-cli` would print, or its error. */
  ask(...command: readonly string[]): Promise<string>;
  /** SIGKILL; what it held is gone, as it keeps nothing on disk. */
  kill(): Promise<void>;
  /** SIGSTOP: connections stand, and nothing is answered any more. */
  freeze(): void;
  resume(): void;
  flush(): Promise<void>;
  /** After a kill or a stop, on the same port; empty. */
  start(): Promise<void>;
  stop(): Promise<void>;
};

export const startRedis = async (
  executable: string,
  { password, settings = [] }: { readonly password?: string; readonly settings?: readonly string[] } = {},
): Promise<RedisServer> => {
  const folder = await mkdtemp(path.join(tmpdir(), 'taskwire-redis-'));
  const port = await freePort();
  let child: ChildProcess | undefined;

  const command = [
    executable,
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--dir',
    folder,
    '--save',
    '',
    '--loglevel',
    'warning',
    ...(password === undefined ? [] : ['--requirepass', password]),
    ...settings,
  ];
  // The kernel kills it when its parent is gone, however that came about; where there is no setpriv, an exit must do.
  const setpriv = findOnPath('setpriv');
  const [program = executable, ...args] = setpriv ? [setpriv, '--pdeathsig', 'KILL', ...command] : command;
  const atExit = () => void child?.kill('SIGKILL');
  process.once('exit', atExit);

  const ask = async (...words: readonly string[]): Promise<string> => {
    const cli = path.join(path.dirname(executable), 'redis-cli');
    const { stdout } = await promisify(execFile)(cli, ['-p', String(port), '--raw', ...words], {
      env: { ...process.env, ...(password !== undefined && { REDISCLI_AUTH: password }) },
      timeout: 5_000,
    });
    return stdout.trimEnd();
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const ending = child;
    child = undefined;
    if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return;
    const gone = once(ending, 'exit');
    ending.kill(signal);
    await gone;
  };
  const server: RedisServer = {
    port,
    ask,
    kill: () => end('SIGKILL'),
    freeze: () => void child?.kill('SIGSTOP'),
    resume: () => void child?.kill('SIGCONT'),
    flush: async () => void (await ask('flushall')),
    start: async () => {
      child = spawn(program, args, { stdio: 'ignore' });
      await until('redis-server', async () => (await ask('ping').catch(() => '')) === 'PONG');
    },
    stop: async () => {
      await end('SIGKILL');
      process.off('exit', atExit);
      await rm(folder, { recursive: true, force: true });
    },
  };
  await server.start();
  return server;
};
