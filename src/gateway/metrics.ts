/**
 * What the whole installation counts, as the gateway sees it: its own figures, and those of every copy of every service, told
 * apart by the labels `process` and `copy`. A copy that does not answer in time is missing.
 */
import { exposition } from '#platform/telemetry/collectors.ts';
import type { Copy } from './copy.ts';
import type { Upstreams } from './relay.ts';
import { SERVICE_NAMES } from './route-table.ts';
import { discard, wholeOf } from './transport.ts';

const PATIENCE = 2_000;
const OK = 200;
const NEVER = new AbortController().signal;

/** `token` is what services ask for before they tell. */
export const mergedMetrics = async (upstreams: Upstreams, token: string | undefined): Promise<string> => {
  const headers = { ...(token !== undefined && { authorization: `Bearer ${token}` }) };
  const copies = SERVICE_NAMES.flatMap((service) =>
    upstreams[service].copies().map((copy, n) => ({ copy, labels: `process="${service}",copy="${n + 1}"` })),
  );
  const told = await Promise.all([
    exposition().then((text) => ({ text, labels: 'process="gateway",copy="1"' })),
    ...copies.map(async ({ copy, labels }) => ({ text: await ask(copy, headers), labels })),
  ]);
  return merged(told);
};

const ask = async (copy: Copy, headers: Readonly<Record<string, string>>): Promise<string> => {
  const request = { method: 'GET', path: '/metrics', headers, body: undefined };
  const attempt = await copy.attempt(request, PATIENCE, NEVER);
  if (attempt.kind !== 'answered') return '';
  if (attempt.status !== OK) {
    await discard(attempt.answer, PATIENCE);
    return '';
  }
  return wholeOf(attempt.answer).then(
    (text = '') => text,
    () => '', // it broke off
  );
};

type Told = { readonly text: string; readonly labels: string };
type Family = { readonly head: Set<string>; readonly samples: string[] };

/** Prometheus wants a family in one piece, and its HELP and TYPE once. */
export const merged = (told: readonly Told[]): string => {
  const families = new Map<string, Family>();
  for (const { text, labels } of told) {
    let family: Family | undefined;
    for (const line of text.split('\n')) {
      const [, name] = /^# (?:HELP|TYPE) (\S+)/.exec(line) ?? [];
      if (name !== undefined) {
        family = families.get(name) ?? { head: new Set(), samples: [] };
        families.set(name, family);
        family.head.add(line);
      } else if (line !== '') family?.samples.push(labelled(line, labels));
    }
  }
  return `${[...families.values()].flatMap(({ head, samples }) => [...head, ...samples]).join('\n')}\n`;
};

/** `name{a="b"} 1` and `name 1`, with more labels. */
const labelled = (sample: string, labels: string): string => {
  const end = /[{ ]/.exec(sample)?.index ?? 0;
  const rest = sample.slice(end);
  return `${sample.slice(0, end)}{${labels}${rest.startsWith('{') ? `,${rest.slice(1)}` : `}${rest}`}`;
};
