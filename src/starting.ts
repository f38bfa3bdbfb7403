/** What every process of ours does when it starts: it speaks, and it listens. */
import type { Config } from '#platform/config/config.ts';
import type { HttpApp } from '#platform/http/server.ts';
import { createLogger, type Logger } from '#platform/telemetry/logger.ts';
import { terminal } from '#platform/telemetry/terminal.ts';

/** For whoever looks on; the log says the same to machines. */
export const tell = (line: string): void => void process.stderr.write(`taskwire: ${line}\n`);

export const openLogger = ({ LOG_FORMAT, LOG_LEVEL, INSTANCE_ID }: Config): Logger => {
  const forPerson = LOG_FORMAT === 'text' || (LOG_FORMAT === 'auto' && process.stdout.isTTY);
  return createLogger(LOG_LEVEL, forPerson ? terminal(process.stdout) : undefined, INSTANCE_ID);
};

/** The address at which it listens. Throws what to do where the port is taken. */
export const listen = async (app: HttpApp, host: string, setting: string, port: number): Promise<string> => {
  try {
    return await app.listen({ host, port });
  } catch (error) {
    const taken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
    throw taken
      ? new Error(`port ${port} is in use: stop what listens there, or choose another: ${setting}=${port + 1}`)
      : error;
  }
};
