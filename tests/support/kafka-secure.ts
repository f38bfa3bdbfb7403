/** A broker that speaks TLS alone, asks everybody for a password (SCRAM), and lets nobody do what they were not granted. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Cluster } from '../../scripts/kafka/cluster.ts';
import type { KafkaSettings } from '../../src/platform/event-bus/kafka/client.ts';
import { startKafka } from './kafka.ts';

const MECHANISM = 'SCRAM-SHA-512';
const ADMIN = 'admin';
const passwordOf = (user: string): string => `the password of ${user}`;

export type SecureKafka = Pick<Cluster, 'stop'> & {
  /** How a client of ours logs in; `admin` may do everything. */
  as(user: string, password?: string): KafkaSettings;
  /** The same as a process is told it. */
  environment(user: string): Readonly<Record<string, string>>;
};

export const startSecureKafka = async (users: readonly string[]): Promise<SecureKafka> => {
  const folder = await mkdtemp(path.join(tmpdir(), 'taskwire-kafka-keys-'));
  const [keys, certificate] = [path.join(folder, 'keys.p12'), path.join(folder, 'certificate.pem')];
  const store = ['-alias', 'broker', '-keystore', keys, '-storepass', STORE_PASSWORD];
  const subject = ['-dname', 'CN=broker', '-ext', 'san=ip:127.0.0.1', '-validity', '2'];
  await keytool('-genkeypair', '-keyalg', 'EC', '-storetype', 'PKCS12', ...store, ...subject);
  await keytool('-exportcert', '-rfc', '-file', certificate, ...store);
  const sasl = (user: string, password = passwordOf(user)) =>
    ({ mechanism: MECHANISM, username: user, password }) as const;
  const cluster = await startKafka(1, {
    settings: settingsOf(keys, certificate),
    format: [ADMIN, ...users].flatMap((user) => [
      '--add-scram',
      `${MECHANISM}=[name=${user},password=${passwordOf(user)}]`,
    ]),
    access: { sasl: sasl(ADMIN), tls: certificate },
  });
  return {
    as: (user, password) => ({
      bootstrapServers: cluster.bootstrap.split(','),
      tls: certificate,
      sasl: sasl(user, password),
    }),
    environment: (user) => ({
      KAFKA_BOOTSTRAP_SERVERS: cluster.bootstrap,
      KAFKA_TLS: certificate,
      KAFKA_SASL_MECHANISM: MECHANISM,
      KAFKA_USERNAME: user,
      KAFKA_PASSWORD: passwordOf(user),
    }),
    stop: async () => {
      await cluster.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
};

const STORE_PASSWORD = 'changes nothing: the file is ours';
const keytool = (...args: readonly string[]) => promisify(execFile)('keytool', [...args]);

const settingsOf = (keys: string, certificate: string): Readonly<Record<string, string>> => ({
  'listener.security.protocol.map': 'CLIENT:SASL_SSL,INTERNAL:PLAINTEXT',
  'sasl.enabled.mechanisms': MECHANISM,
  'sasl.mechanism.inter.broker.protocol': MECHANISM,
  'listener.name.client.scram-sha-512.sasl.jaas.config': `org.apache.kafka.common.security.scram.ScramLoginModule required username="${ADMIN}" password="${passwordOf(ADMIN)}";`,
  'ssl.keystore.location': keys,
  'ssl.keystore.password': STORE_PASSWORD,
  'ssl.key.password': STORE_PASSWORD,
  'ssl.truststore.type': 'PEM',
  'ssl.truststore.location': certificate,
  'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
  // On the listener among the nodes nobody says who they are.
  'super.users': `User:${ADMIN};User:ANONYMOUS`,
});
