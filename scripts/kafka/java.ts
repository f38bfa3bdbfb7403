/** Java as the brokers run on it, and what makes them start in half the time. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import type { KafkaJars } from './install.ts';

const SETPRIV = '/usr/bin/setpriv';
const LEAN = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
const NEEDED = 17;

/** Throws what to do where there is none, or one that is too old. */
export const requireJava = async (): Promise<void> => {
  const found = await promisify(execFile)('java', ['-version']).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  });
  const version = Number(/version "(\d+)/.exec(found?.stderr ?? '')?.[1] ?? 0);
  if (version >= NEEDED) return;
  const why = found === undefined ? 'there is no java here' : `java here is ${version}`;
  throw new Error(`Apache Kafka needs Java ${NEEDED}, and ${why}: apt-get install openjdk-17-jre-headless`);
};

/** The classes of a running broker as they lie in memory: with them a start takes 2.2 s of CPU, without them 4. */
const archiveIn = ({ folder }: KafkaJars): string => path.join(folder, 'broker-classes.jsa');
export const isArchiveThere = (jars: KafkaJars): boolean => existsSync(archiveIn(jars));

const classesOf = (jars: KafkaJars): readonly string[] =>
  isArchiveThere(jars) ? [`-XX:SharedArchiveFile=${archiveIn(jars)}`, '-Xshare:auto'] : [];

/** Has `run` start a broker with these options, and end it gently; its classes are kept. Complete, or not there. */
export const archiveClasses = async (jars: KafkaJars, run: (options: readonly string[]) => Promise<void>) => {
  const made = `${archiveIn(jars)}.${process.pid}`;
  await run([`-XX:ArchiveClassesAtExit=${made}`]);
  if (existsSync(made)) await rename(made, archiveIn(jars));
};

/** Runs one of Kafka's tools to its end; rejects with what it said where it fails. */
export const runTool = async (jars: KafkaJars, ...tool: readonly string[]): Promise<void> => {
  await promisify(execFile)('java', [...LEAN, ...classesOf(jars), '-cp', jars.classPath, ...tool]);
};

/** A broker by its settings; what it says is added to `log`. */
export const spawnBroker = (
  jars: KafkaJars,
  properties: string,
  log: string,
  options: readonly string[] = classesOf(jars),
): ChildProcess => {
  const output = openSync(log, 'a');
  const java = ['java', ...LEAN, ...options, '-cp', jars.classPath, 'kafka.Kafka', properties];
  // The kernel kills it when its parent is gone, however that came about.
  const [program = '', ...args] = existsSync(SETPRIV) ? [SETPRIV, '--pdeathsig', 'KILL', ...java] : java;
  const child = spawn(program, args, { stdio: ['ignore', output, output] });
  child.on('error', () => undefined); // it ends as one that has failed
  closeSync(output);
  return child;
};
