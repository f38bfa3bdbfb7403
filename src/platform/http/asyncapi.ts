/** What services tell each other, as AsyncAPI 3.0: made from the definitions that validate and seal, so it cannot drift. */
import type { EventDefinition } from '../event-store/catalog.ts';
import { hasPersonal, plainSchema, SEALED, sealedExample, sealedSchema } from '../event-store/sealed-schema.ts';
import { CLOUDEVENT_HEADERS } from './cloudevent-headers.ts';

export type EventsDescription = {
  readonly title: string;
  readonly version: string;
  readonly description: string;
  /** The public ones. Of any other nothing is told, whoever produces or consumes it. */
  readonly events: Readonly<Record<string, DescribedEvent>>;
  readonly producers: readonly Producer[];
  readonly consumers: readonly Consumer[];
};
export type DescribedEvent = EventDefinition & { readonly summary: string; readonly example: unknown };
type Producer = { readonly service: string; readonly types: readonly string[] };
type Consumer = Producer & { readonly name: string };

const READING = `- A payload stands here as it travels: personal fields are sealed.
- Events with the same key come in their order. One may come again, with the same id.
- An event keeps the version of its schema in which it was written, and is brought to the newest, which stands here, when it is read.
- The headers are those of CloudEvents 1.0 in binary mode, for where a broker carries the events. Without one, services read each other's stores, where the same stands in columns.`;

/** The document. Tells only of what is in `events`; that the definitions are sound is checked where they are compiled. */
export const asyncApi = ({ title, version, description, events, producers, consumers }: EventsDescription) => {
  const definitions = Object.entries(events);
  const services = new Set([...producers, ...consumers].map(({ service }) => service));
  const channels = [...Map.groupBy(definitions, ([, { topic }]) => topic)].map(([topic, own]) => {
    const messages = own.map(([type]) => [type, { $ref: `#/components/messages/${type}` }]);
    return [topic, { address: topic, messages: Object.fromEntries(messages) }];
  });
  const schemas = definitions.map(([type, { schema }]) => [type, sealedSchema(plainSchema(schema), refTo('sealed'))]);
  return {
    asyncapi: '3.0.0',
    info: {
      title,
      version,
      description: `${description}\n\n${READING}`,
      license: { name: 'MIT' },
      tags: [...services].map((name) => ({ name, description: `The ${name} service.` })),
    },
    defaultContentType: 'application/json',
    channels: Object.fromEntries(channels),
    operations: Object.fromEntries([
      ...producers.flatMap((producer) => operations(events, 'send', producer.service, producer)),
      ...consumers.flatMap((consumer) => operations(events, 'receive', consumer.name, consumer)),
    ]),
    components: {
      messages: Object.fromEntries(definitions.map(([type, definition]) => [type, message(type, definition)])),
      schemas: { sealed: SEALED, headers: CLOUDEVENT_HEADERS, ...Object.fromEntries(schemas) },
    },
  };
};

/** Types of events have a dot in them, so that no schema of ours is in the way. */
const refTo = (schema: string): string => `#/components/schemas/${schema}`;

/** One for each topic that somebody produces to or consumes, since an operation has one channel. */
const operations = (
  events: EventsDescription['events'],
  action: 'send' | 'receive',
  name: string,
  { service, types }: Producer,
) => {
  const told = Object.entries(events).filter(([type]) => types.includes(type));
  return [...Map.groupBy(told, ([, { topic }]) => topic)].map(([topic, own]) => [
    `${name}.${action}.${topic}`,
    {
      action,
      title: action === 'send' ? `What the ${service} service produces` : `What ${name} consumes`,
      channel: { $ref: `#/channels/${topic}` },
      messages: own.map(([type]) => ({ $ref: `#/channels/${topic}/messages/${type}` })),
      tags: [{ name: service }],
    },
  ]);
};

const message = (type: string, { version, schema, summary, busKey, example }: DescribedEvent) => {
  const plain = plainSchema(schema);
  return {
    name: type,
    title: `${type} v${version}`,
    summary,
    contentType: 'application/json',
    headers: {
      type: 'object',
      allOf: [{ $ref: refTo('headers') }],
      properties: { ce_type: { type: 'string', const: type } },
    },
    payload: { $ref: refTo(type) },
    correlationId: { location: '$message.header#/ce_correlationid', description: 'The request that began it all.' },
    bindings: { kafka: { key: { type: 'string', description: busKeyOf({ busKey }) }, bindingVersion: '0.5.0' } },
    examples: [{ name: type, summary: 'As it travels.', payload: sealedExample(plain, example, type) }],
    'x-schema-version': version,
    ...(hasPersonal(plain) && { 'x-opened-example': example }),
  };
};

/** What orders an event on its topic, in words. */
export const busKeyOf = ({ busKey }: { readonly busKey?: string | undefined }): string =>
  busKey === undefined ? 'the aggregate’s id' : `the data’s ${busKey}`;
