/** The only reader of the environment: one parse at the start, every fault named at once. */
import path from 'node:path';
import { createValidator, inputErrors } from '../schema/validator.ts';
import type { DatabaseAddress } from '../sql/connection.ts';
import { Environment } from './schema.ts';

/** Settings that cannot be run with; the message names every one of them. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
}

export type Config = Environment & {
  readonly PUBLIC_URL: string;
  /** Absolute. */
  readonly DATA_DIR: string;
  readonly production: boolean;
};

/** The settings of this process, from the environment and a `.env` file in the working directory (the former wins). */
export const readConfig = (overrides: Readonly<Record<string, string>> = {}): Config => {
  try {
    process.loadEnvFile();
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error; // it is optional
  }
  return parseConfig({ ...process.env, ...overrides });
};

export const parseConfig = (environment: Readonly<Record<string, string | undefined>>): Config => {
  const values: Record<string, unknown> = {};
  for (const name of Object.keys(Environment.properties)) {
    if (environment[name] !== undefined && environment[name] !== '') values[name] = environment[name];
  }
  const validate = createValidator({ coerce: true }).compile<Environment>(Environment);
  const valid = validate(values);
  const faults = [
    ...inputErrors(validate.errors).map(({ pointer, detail }) => `${pointer.slice(1)} ${detail}`),
    ...(values.NODE_ENV === 'production' ? productionFaults(values) : []),
  ];
  if (!valid || faults.length > 0) {
    throw new ConfigurationError(`these settings cannot be used:\n  ${faults.join('\n  ')}`);
  }
  return {
    ...values,
    DATA_DIR: path.resolve(values.DATA_DIR),
    PUBLIC_URL: (values.PUBLIC_URL ?? `http://localhost:${values.PORT}`).replace(/\/$/, ''),
    production: values.NODE_ENV === 'production',
  };
};

/** What is good enough to try things out, and nowhere else. Other settings may be invalid: those are named already. */
const productionFaults = (values: Partial<Environment>): readonly string[] => [
  ...(['JWT_PRIVATE_KEYS', 'MASTER_KEY', 'PASSWORD_PEPPER', 'PUBLIC_URL'] as const)
    .filter((name) => values[name] === undefined)
    .map((name) => `${name} must be given in production`),
  ...(values.MASTER_KEY !== undefined && values.MASTER_KEY === values.PASSWORD_PEPPER
    ? ['MASTER_KEY and PASSWORD_PEPPER must differ']
    : []),
  ...(Number(values.PASSWORD_COST) < 12 ? ['PASSWORD_COST must be at least 12 in production'] : []),
  ...(values.FAIL_POINT !== undefined ? ['FAIL_POINT is for tests'] : []),
];

/** Where a service's database is: its own settings, else those that all share. */
export const databaseOf = (
  config: Config,
  service: 'USER' | 'TASK' | 'KEYS',
  shared: DatabaseAddress,
): DatabaseAddress => {
  const host = config[`${service}_DB_HOST`];
  if (host === undefined) return shared;
  return {
    host,
    port: config[`${service}_DB_PORT`] ?? shared.port,
    database: config[`${service}_DB_NAME`] ?? shared.database,
    user: config[`${service}_DB_USER`] ?? shared.user,
    password: config[`${service}_DB_PASSWORD`] ?? shared.password,
  };
};
