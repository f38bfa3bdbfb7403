/** taskwire acls: on a broker that asks who somebody is, each service may do what it needs. */
import { EVENT_REGISTRY } from '#contracts/registry.ts';
import { readConfig } from '#platform/config/config.ts';
import { topicsOfSource } from '#platform/event-bus/delivery.ts';
import { commandOf, type Grant, grantsOf } from '#platform/event-bus/kafka/access.ts';
import { SERVICES, topicsOf } from '../installation.ts';
import { say, sayJson, table, UsageError } from './output.ts';
import { brokerOf } from './topics.ts';

type Options = { readonly principal?: readonly string[]; readonly json?: boolean };

export const aclsPrint = (options: Options): void => {
  for (const grant of grants(options)) say(commandOf(grant));
};

export const aclsApply = async (options: Options): Promise<void> => {
  const settings = brokerOf(readConfig('gateway'));
  const { applyGrants } = await import('#platform/event-bus/kafka/acls.ts');
  const outcomes = await applyGrants(settings, grants(options));
  if (options.json) return sayJson(outcomes);
  const rows = outcomes.map(({ principal, granted, kept, takenAway }) => [
    principal,
    String(granted),
    String(kept),
    String(takenAway),
  ]);
  say(...table(['PRINCIPAL', 'GRANTED', 'HAD ALREADY', 'TAKEN AWAY'], rows));
};

const grants = ({ principal: named = [] }: Options): readonly Grant[] => {
  const principals = new Map<string, string>([
    ...SERVICES.map(({ name }) => [name, `${name}-service`] as const),
    ['operators', 'operators'],
  ]);
  for (const pair of named) {
    const [, who = '', name = ''] = /^(\w+)=([^\s'"]+)$/.exec(pair) ?? [];
    if (!principals.has(who))
      throw new UsageError(`--principal ${pair} is not who=name, with who one of ${[...principals.keys()].join(', ')}`);
    principals.set(who, name);
  }
  const principalOf = (who: string): string => `User:${principals.get(who)}`;
  const services = SERVICES.map((service) => ({
    service: service.name,
    principal: principalOf(service.name),
    says: distinct([
      ...topicsOfSource(service.name),
      ...topicsOfTypes(Object.keys(service.registry), service.registry),
    ]),
    hears: distinct((service.consumers ?? []).flatMap(({ types }) => topicsOfTypes(types, EVENT_REGISTRY))),
  }));
  const topics = topicsOf(readConfig('gateway')).map(({ name }) => name);
  return grantsOf(services, principalOf('operators'), topics);
};

type Topics = Readonly<Record<string, { readonly topic: string }>>;
const topicsOfTypes = (types: readonly string[], registry: Topics): readonly string[] =>
  types.flatMap((type) => registry[type]?.topic ?? []);
const distinct = (names: readonly string[]): readonly string[] => [...new Set(names)];
