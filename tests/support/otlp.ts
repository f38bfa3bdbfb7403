/** The OpenTelemetry Collector's own OTLP receiver in a process of its own: what it could read, tests can look at. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePort } from './free-port.ts';
import { findOnPath, requirement } from './requires.ts';

const CACHE = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'taskwire');
export const otlpReceiver = requirement('otlp-receiver', 'tests/support/otlp-receiver/build, with Go 1.26', () =>
  findOnPath('otlp-receiver', CACHE),
);

export type ReceivedSpan = {
  readonly service: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly traceState?: string;
  readonly links?: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly attributes: readonly { readonly key: string; readonly value: { readonly stringValue?: string } }[];
};

export const openReceiver = async (executable: string) => {
  const port = await freePort();
  const spans: ReceivedSpan[] = [];
  const child = spawn(executable, [`127.0.0.1:${port}`], { stdio: ['ignore', 'pipe', 'pipe'] });
  createInterface({ input: child.stdout }).on('line', (line) => {
    for (const { resource, scopeSpans } of JSON.parse(line).resourceSpans) {
      const service = resource.attributes.find(({ key }: { key: string }) => key === 'service.name').value.stringValue;
      for (const scope of scopeSpans) for (const span of scope.spans) spans.push({ service, ...span });
    }
  });
  const ended = once(child, 'exit');
  await Promise.race([once(child.stderr, 'data'), ended]); // it says that it is ready, or why it ends
  if (child.exitCode !== null) throw new Error('the receiver ended at once');
  return {
    spans,
    url: `http://127.0.0.1:${port}`,
    stop: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
};
