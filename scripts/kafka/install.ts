/**
 * Apache Kafka from Maven Central: the broker's jars in a cache outside the repository, brought once. A folder that is
 * there is complete: it is filled under another name, and then renamed.
 */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

/** 4.4.0 is incomplete in Maven Central. */
const VERSION = '4.3.1';
const ARTIFACTS = [
  ['org.apache.kafka', 'kafka_2.13', VERSION],
  ['org.apache.kafka', 'kafka-tools', VERSION],
  ['org.apache.logging.log4j', 'log4j-slf4j-impl', '2.25.4'],
] as const;
const COPY = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';

export type KafkaJars = {
  /** As `java -cp` takes it. */
  readonly classPath: string;
  /** For what is made of the jars: an archive that makes the start faster. */
  readonly folder: string;
};

const cache = (): string => {
  const base = process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache');
  return path.join(base, 'taskwire', `kafka-${VERSION}`);
};
export const areJarsThere = (): boolean => existsSync(path.join(cache(), 'jars'));

/** Brings what is missing; `report` is told where that takes a while. Rejects where Maven is missing or cannot fetch. */
export const kafkaJars = async (report: (line: string) => void): Promise<KafkaJars> => {
  const folder = cache();
  const jars = path.join(folder, 'jars');
  if (!areJarsThere()) {
    report(`fetching Apache Kafka ${VERSION} from Maven Central (once, about a minute, 55 MB) …`);
    await fetchTo(folder, jars);
  }
  const names = readdirSync(jars).filter((name) => name.endsWith('.jar'));
  // Each by its name: an archive of classes takes no wildcard.
  return { folder, classPath: names.map((name) => path.join(jars, name)).join(path.delimiter) };
};

const fetchTo = async (folder: string, jars: string): Promise<void> => {
  await mkdir(folder, { recursive: true });
  const work = await mkdtemp(path.join(folder, 'fetching-'));
  try {
    await writeFile(path.join(work, 'pom.xml'), POM);
    const args = ['-q', '-B', COPY, `-DoutputDirectory=${path.join(work, 'jars')}`, '-DincludeScope=runtime'];
    await promisify(execFile)('mvn', args, { cwd: work, maxBuffer: 8 * 1024 * 1024 });
    await rename(path.join(work, 'jars'), jars);
  } catch (error) {
    if (areJarsThere()) return; // another process was faster
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    throw isMissing ? new Error('mvn (Maven) is needed once, to fetch Apache Kafka: apt-get install maven') : error;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
};

const dependency = ([group, artifact, version]: (typeof ARTIFACTS)[number]): string =>
  `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`;
const POM = `<project><modelVersion>4.0.0</modelVersion>
<groupId>taskwire</groupId><artifactId>kafka</artifactId><version>1</version>
<dependencies>${ARTIFACTS.map(dependency).join('')}</dependencies></project>`;
