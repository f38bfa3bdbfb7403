// For a container's health check: ends with 0 once the process of this container may be asked. Which one that is follows
// from its own arguments, as the first process of the container has them; an image has no curl.
import { readFileSync } from 'node:fs';

const PORTS = { user: 'USER_PORT', task: 'TASK_PORT', notification: 'NOTIFICATION_PORT' };
const DEFAULTS = { PORT: '8000', USER_PORT: '8001', TASK_PORT: '8002', NOTIFICATION_PORT: '8003' };

const served = process.argv[2] ?? servedHere();
const setting = PORTS[served] ?? 'PORT';
const port = process.env[setting] || DEFAULTS[setting];
try {
  const { ok, status } = await fetch(`http://127.0.0.1:${port}/health/ready`, { signal: AbortSignal.timeout(4_000) });
  if (!ok) fail(`answers ${status}`);
} catch (error) {
  fail(error.cause?.code ?? error.message);
}

function servedHere() {
  const words = readFileSync('/proc/1/cmdline', 'utf8').split('\0');
  return words[words.indexOf('start') + 1] || 'all';
}

function fail(reason) {
  console.error(`port ${port} is not ready: ${reason}`);
  process.exitCode = 1;
}
