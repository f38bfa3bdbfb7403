/** The only reader of the environment: one parse at the start, every fault named at once. */
import path from 'node:path';
import { createValidator, inputErrors } from '../schema/validator.ts';
import type { DatabaseAddress } from '../sql/connection.ts';
import { productionFaults, type Role } from './production.ts';
import { Environment } from './schema.ts';

/** Settings that cannot be run with; the message names every one of them. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
}

export type Config = Omit<Environment, ServiceUrl | 'CORS_ORIGINS'> & {
  readonly CORS_ORIGINS: readonly string[];
  readonly PUBLIC_URL: string;
  readonly MAIL_FROM: string;
  /** Absolute. */
  readonly DATA_DIR: string;
  readonly production: boolean;
} & {
  /** The origins of all copies. */
  readonly [Name in ServiceUrl]: readonly string[];
};
type ServiceUrl = `${'USER' | 'TASK' | 'NOTIFICATION'}_SERVICE_URL`;
const PORTS = {
  USER_SERVICE_URL: 'USER_PORT',
  TASK_SERVICE_URL: 'TASK_PORT',
  NOTIFICATION_SERVICE_URL: 'NOTIFICATION_PORT',
} as const;

/** The settings of this process, from the environment and a `.env` file in the working directory (the former wins). */
export const readConfig = (role: Role = 'all'): Config => {
  try {
    process.loadEnvFile();
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error; // it is optional
  }
  return parseConfig(process.env, role);
};

/**
 * Every setting, parsed; an empty one counts as absent. Throws ConfigurationError, which names all faults at once and
 * quotes no value.
 */
export const parseConfig = (environment: Readonly<Record<string, string | undefined>>, role: Role = 'all'): Config => {
  const values: Record<string, unknown> = {};
  for (const name of Object.keys(Environment.properties)) {
    if (environment[name] !== undefined && environment[name] !== '') values[name] = environment[name];
  }
  const validate = createValidator({ coerce: true }).compile<Environment>(Environment);
  const valid = validate(values);
  const faults = [
    ...inputErrors(validate.errors).map(({ pointer, detail }) => `${pointer.slice(1)} ${detail}`),
    ...(values.NODE_ENV === 'production' ? productionFaults(values, role) : []),
  ];
  if (!valid || faults.length > 0) {
    throw new ConfigurationError(`these settings cannot be used:\n  ${faults.join('\n  ')}`);
  }
  const publicUrl = (values.PUBLIC_URL ?? `http://localhost:${values.PORT}`).replace(/\/$/, '');
  const copiesOf = (name: ServiceUrl): readonly string[] =>
    originsIn(values[name] ?? `http://127.0.0.1:${values[PORTS[name]]}`);
  return {
    ...values,
    CORS_ORIGINS: originsIn(values.CORS_ORIGINS ?? ''),
    USER_SERVICE_URL: copiesOf('USER_SERVICE_URL'),
    TASK_SERVICE_URL: copiesOf('TASK_SERVICE_URL'),
    NOTIFICATION_SERVICE_URL: copiesOf('NOTIFICATION_SERVICE_URL'),
    DATA_DIR: path.resolve(values.DATA_DIR),
    PUBLIC_URL: publicUrl,
    MAIL_FROM: values.MAIL_FROM ?? `Taskwire <no-reply@${new URL(publicUrl).hostname}>`,
    production: values.NODE_ENV === 'production',
  };
};

const originsIn = (text: string): readonly string[] =>
  text === '' ? [] : text.split(',').map((one) => new URL(one.trim()).origin);

/** Where a service's database is, and who connects to it: each setting its own, else the one that all share. */
export const databaseOf = (config: Config, service: DatabaseSettings, shared: DatabaseAddress): DatabaseAddress => ({
  host: config[`${service}_DB_HOST`] ?? shared.host,
  port: config[`${service}_DB_PORT`] ?? shared.port,
  database: config[`${service}_DB_NAME`] ?? shared.database,
  user: config[`${service}_DB_USER`] ?? shared.user,
  password: config[`${service}_DB_PASSWORD`] ?? shared.password,
});
/** The first word of the settings of a database: `USER_DB_HOST`. */
export type DatabaseSettings = 'USER' | 'TASK' | 'NOTIFICATION' | 'KEYS';
