/** What the product says of its events: to machines and to people, all of the public ones, and nothing else. */
import { createRequire } from 'node:module';
import { Ajv } from 'ajv';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EVENT_REGISTRY } from '../../src/contracts/registry.ts';
import { SERVICES } from '../../src/installation.ts';
import type { Delivery } from '../../src/platform/event-bus/delivery.ts';
import { readFeed } from '../../src/platform/event-bus/feed.ts';
import { toRecord } from '../../src/platform/event-bus/kafka/cloud-event.ts';
import { FEED_START } from '../../src/platform/event-store/event.ts';
import { asyncApi, type EventsDescription } from '../../src/platform/http/asyncapi.ts';
import { eventPage } from '../../src/platform/http/event-page.ts';
import { formats } from '../../src/platform/schema/formats.ts';
import { openDatabase } from '../../src/platform/sql/database.ts';
import { startTestApp, type TestApp } from '../support/app.ts';
import { succeeded } from '../support/succeeded.ts';
import { until } from '../support/until.ts';

const require = createRequire(import.meta.url);
const specification = require('@asyncapi/specs/schemas/3.0.0.json');
/** It brings the meta-schema of its draft along, of which Ajv wants no second one. */
const official = new Ajv({ strict: false, validateFormats: false, meta: false, validateSchema: false }).compile(
  specification,
);
/** What the official schema finds wrong. */
const faults = (document: unknown) => (official(document) ? [] : official.errors);

type Document = ReturnType<typeof asyncApi>;
/** The values of a document's schemas, checked; strict, so that a keyword which draft 7 does not know is found out. */
const checker = ({ components }: Document) => {
  const ajv = new Ajv({
    strict: true,
    allowUnionTypes: true,
    strictRequired: false,
    strictTypes: false,
    formats: { ...formats, 'date-time': formats.instant, uri: URL.canParse, 'uri-reference': true },
    keywords: ['components', 'x-personal', 'x-opened'],
  });
  return (schema: string | object, value: unknown) => {
    const root = typeof schema === 'string' ? { $ref: `#/components/schemas/${schema}` } : schema;
    const validate = ajv.compile({ components, ...root });
    return validate(value) ? [] : validate.errors;
  };
};
/** A schema of the document as whoever has the keys reads it. */
const opened = (schema: object): object =>
  JSON.parse(JSON.stringify(schema), (_name, value) => value?.['x-opened'] ?? value);

const refsIn = (value: unknown): readonly string[] => {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => (name === '$ref' ? [String(inner)] : refsIn(inner)));
};
const resolve = (document: object, ref: string): unknown =>
  ref
    .split('/')
    .slice(1)
    .reduce<unknown>((place, name) => Object(place)[name], document);

/** A registry with all that ours may come to: two topics, consumers, events that a service keeps to itself, hostile words. */
const HOSTILE = `<img src="//elsewhere" onerror='x()'>&`;
const event = (topic: string, summary = 'It was.') => ({
  version: 2,
  topic,
  summary,
  upcasts: [],
  example: { words: HOSTILE },
  schema: {
    type: 'object',
    properties: { words: { type: 'string', description: HOSTILE } },
    required: ['words'],
    additionalProperties: false,
  },
});
const MADE_UP: EventsDescription = {
  title: 'Made up',
  version: '1.0.0',
  description: 'For a test.',
  events: { 'tea.made': event('tea.events', HOSTILE), 'cup.broken': { ...event('cup.events'), busKey: 'words' } },
  producers: [
    { service: 'tea', types: ['tea.made', 'tea.tasted_in_secret'] },
    { service: 'cup', types: ['cup.broken'] },
  ],
  consumers: [{ name: 'butler.tidy', service: 'butler', types: ['cup.broken', 'tea.made', 'tea.tasted_in_secret'] }],
};

let product: TestApp;
let document: Document;
let page: string;
beforeAll(async () => {
  product = await startTestApp();
  document = (await product.ask('GET', '/asyncapi.json')).body;
  page = (await product.ask('GET', '/docs/events')).body;
  const somebody = await product.person();
  await succeeded(somebody.ask('PATCH', '/api/v1/me', { body: { displayName: 'Ada', timeZone: 'Europe/Berlin' } }));
  const category = await somebody.ask('POST', '/api/v1/categories', { body: { name: 'Home' } });
  const due = { date: '2030-07-31', zone: 'Europe/Berlin' };
  const { body: task } = await somebody.ask('POST', '/api/v1/tasks', {
    body: { title: 'Drink tea', due, categoryId: category.body.id },
  });
  await succeeded(
    somebody.ask('PATCH', `/api/v1/tasks/${task.id}`, { body: { title: 'Drink', description: 'x', due: null } }),
  );
  await succeeded(somebody.ask('POST', `/api/v1/tasks/${task.id}/complete`));
});
afterAll(() => product.close());

/** What a service published, as its relay reads it. */
const publicEvents = async ({ name: source, schema }: (typeof SERVICES)[number]) => {
  const rights = { schema, statementTimeout: 10_000, applicationName: 'event-docs test', connections: 1 };
  const database = openDatabase({ ...rights, address: product.database.address });
  try {
    const feed = await readFeed(database, FEED_START, 1_000);
    const isPublic = ({ topic }: { topic: string }) => Object.values(EVENT_REGISTRY).some((one) => one.topic === topic);
    return feed.filter(isPublic).map((delivery) => ({ ...delivery, source, after: FEED_START }));
  } finally {
    await database.close();
  }
};
const headersOf = (source: string, delivery: Delivery): Record<string, string> =>
  Object.fromEntries([...toRecord(source, delivery).headers].map(([name, value]) => [String(name), String(value)]));

const types = Object.keys(EVENT_REGISTRY) as (keyof typeof EVENT_REGISTRY)[];

describe('AsyncAPI', () => {
  test('is what its specification asks for', () => {
    expect(document.asyncapi).toBe('3.0.0');
    expect(faults(document)).toEqual([]);
    expect(faults(JSON.parse(JSON.stringify(asyncApi(MADE_UP))))).toEqual([]);
    expect(faults({ ...document, channels: { 'user.events': { adress: 'user.events' } } }), 'the control').not.toEqual(
      [],
    );
  });

  test('refers to nothing that is not there, and an operation to messages of its own channel', () => {
    for (const told of [document, asyncApi(MADE_UP)]) {
      const refs = refsIn(told);
      expect(refs.length).toBeGreaterThan(10);
      expect(refs.filter((ref) => resolve(told, ref) === undefined)).toEqual([]);
      for (const { channel, messages } of Object.values<{ channel: { $ref: string }; messages: { $ref: string }[] }>(
        told.operations,
      )) {
        expect(messages.filter(({ $ref }) => !$ref.startsWith(`${channel.$ref}/messages/`))).toEqual([]);
      }
    }
  });

  test('tells all public events, and of each what the registry says', () => {
    expect(Object.keys(document.components.messages)).toEqual(types);
    const told = Object.entries(document.channels).flatMap(([address, channel]) => {
      expect(channel).toMatchObject({ address });
      return Object.keys(Object(channel).messages).map((type) => [type, address]);
    });
    expect(Object.fromEntries(told)).toEqual(
      Object.fromEntries(types.map((type) => [type, EVENT_REGISTRY[type].topic])),
    );
    for (const type of types) {
      const { version, summary } = EVENT_REGISTRY[type];
      expect(document.components.messages[type]).toMatchObject({ name: type, summary, 'x-schema-version': version });
    }
  });

  test.each(types)('%s: its examples keep its schema, as it travels and opened', (type) => {
    const check = checker(document);
    const told = document.components.messages[type];
    const schema = resolve(document, `#/components/schemas/${type}`);
    const { example } = EVENT_REGISTRY[type];
    expect(check(type, told?.examples[0]?.payload)).toEqual([]);
    expect(check(opened(Object(schema)), example)).toEqual([]);
    expect(told?.['x-opened-example'] ?? told?.examples[0]?.payload).toEqual(example);
  });

  test('its payloads are what lies in the stores, and nothing in clear where something personal belongs', async () => {
    const stored = await product.database.sql<{ type: string; data: object }>(
      `select type, data from user_service.event where topic = 'user.events' union all
       select type, data from task_service.event where topic = 'task.events'`,
    );
    expect(new Set(stored.map(({ type }) => type)).size).toBeGreaterThan(6);
    const check = checker(document);
    for (const { type, data } of stored) expect([type, check(type, data)]).toEqual([type, []]);
    expect(check('task.created', EVENT_REGISTRY['task.created'].example)).not.toEqual([]);
  });

  test('tells who produces what: each service its own public events', () => {
    for (const { name, registry } of SERVICES) {
      const sent = Object.entries<{ action: string; messages: { $ref: string }[] }>(document.operations).flatMap(
        ([key, { messages }]) => (key.startsWith(`${name}.send.`) ? messages : []),
      );
      const own = Object.keys(registry).filter((type) => Object.hasOwn(EVENT_REGISTRY, type));
      expect(sent.map(({ $ref }) => $ref.split('/').at(-1)).toSorted()).toEqual(own.toSorted());
    }
  });

  test('tells who consumes what, on each topic', () => {
    const { operations } = asyncApi(MADE_UP);
    expect(Object.keys(operations)).toEqual([
      'tea.send.tea.events',
      'cup.send.cup.events',
      'butler.tidy.receive.tea.events',
      'butler.tidy.receive.cup.events',
    ]);
    expect(operations['butler.tidy.receive.cup.events']).toMatchObject({
      action: 'receive',
      channel: { $ref: '#/channels/cup.events' },
      messages: [{ $ref: '#/channels/cup.events/messages/cup.broken' }],
      tags: [{ name: 'butler' }],
    });
  });

  test('the key of a message is the bus key', () => {
    const { messages } = asyncApi(MADE_UP).components;
    const keyOf = (type: string) => messages[type]?.bindings.kafka.key.description;
    expect([keyOf('tea.made'), keyOf('cup.broken')]).toEqual(['the aggregate’s id', 'the data’s words']);
  });

  test('its headers are those that a broker gets, all of them and no others', async () => {
    // Other tests' writers on the same server hold a feed back for a moment.
    const events = await until('more than six types to be shown', async () => {
      const shown = (await Promise.all(SERVICES.map(publicEvents))).flat();
      return new Set(shown.map(({ envelope }) => envelope.type)).size > 6 ? shown : undefined;
    });
    const check = checker(document);
    const { headers: described } = document.components.schemas;
    const faultsOf = (type: string, headers: object) =>
      check(document.components.messages[type]?.headers ?? {}, headers);

    for (const { source, ...delivery } of events) {
      const { type, metadata } = delivery.envelope;
      const headers = headersOf(source, delivery);
      expect([type, faultsOf(type, headers)]).toEqual([type, []]);
      expect(Object.keys(headers).toSorted()).toEqual(Object.keys(described.properties).toSorted());
      const { traceparent: _, ...untraced } = JSON.parse(metadata);
      const bare = { ...delivery.envelope, subject: null, metadata: JSON.stringify(untraced) };
      const always = headersOf(source, { ...delivery, envelope: bare });
      expect(Object.keys(always).toSorted()).toEqual(described.required.toSorted());
    }
    for (const { source, ...delivery } of events.slice(0, 1)) {
      const { type } = delivery.envelope;
      const headers = Object.entries(headersOf(source, delivery));
      for (const name of described.required)
        expect(faultsOf(type, Object.fromEntries(headers.filter(([other]) => other !== name))), name).not.toEqual([]);
      expect(faultsOf(type, { ...Object.fromEntries(headers), ce_type: 'another.type' })).not.toEqual([]);
    }
  });
});

describe('the page at /docs/events', () => {
  test('shows every event: its words, version, topic, fields and example', () => {
    for (const type of types) {
      const [, shown = ''] = new RegExp(`<section id="${type}">(.*?)</section>`, 's').exec(page) ?? [];
      const { summary, topic, version, example } = EVENT_REGISTRY[type];
      expect(shown).toContain(summary);
      expect(shown).toContain(`<code>${topic}</code>`);
      expect(shown).toContain(`<td>${version}</td>`);
      for (const [name, value] of Object.entries(example)) {
        expect(shown).toContain(`<code>${name}`);
        if (typeof value === 'string') expect(shown).toContain(`&quot;${value}&quot;`);
      }
    }
  });

  test('marks what is personal, says what that means, and shows how it travels', () => {
    const [, created = ''] = /<section id="task.created">(.*?)<\/section>/s.exec(page) ?? [];
    const marked = [...created.matchAll(/<code>(\w+)<\/code><\/td>\s*<td>[^<]*<a href="#personal">personal<\/a>/g)];
    expect(marked.map(([, field]) => field)).toEqual(['title', 'description']);
    expect(created).toContain('&quot;$sealed&quot;');
    expect(page).toContain('id="personal"');
  });

  test('leads from an event to its producer and its consumers, and back', () => {
    const shown = eventPage(MADE_UP);
    const [, broken = ''] = /<section id="cup.broken">(.*?)<\/section>/s.exec(shown) ?? [];
    expect(broken).toContain('<a href="#service-cup">cup</a>');
    expect(broken).toContain('<a href="#consumer-butler.tidy">butler.tidy</a>');
    expect(shown).toMatch(/id="consumer-butler.tidy">.*href="#cup.broken".*href="#tea.made"/);
  });

  test('every link on it leads somewhere', async () => {
    const links = [...page.matchAll(/href="([^"]+)"/g)].map(([, link = '']) => link);
    expect(links).toContain('/asyncapi.json');
    const lost = links.filter((link) => link.startsWith('#') && !page.includes(`id="${link.slice(1)}"`));
    expect(lost).toEqual([]);
    for (const link of new Set(links.filter((one) => !one.startsWith('#')))) {
      expect((await product.ask('GET', link)).status).toBe(200);
    }
  });

  test('is reached from the first page, loads nothing, and runs nothing', async () => {
    expect((await product.ask('GET', '/')).body).toContain('href="/docs/events"');
    const { headers } = await product.ask('GET', '/docs/events');
    expect(headers['content-type']).toMatch(/^text\/html/);
    expect(headers['content-security-policy']).toMatch(/^default-src 'none'/);
    for (const shown of [page, eventPage(MADE_UP)]) {
      expect(shown).not.toMatch(/<(script|img|link|iframe|object|embed|form|base)\b/i);
      expect(shown).not.toMatch(/\s(src|srcset|on\w+|style)=["']?[^&]*?["'>]/i);
      expect(shown).not.toMatch(/url\(|@import/);
    }
    expect(eventPage(MADE_UP), 'the control').toContain('&lt;img src=&quot;//elsewhere&quot;');
  });
});

test('events that a service keeps to itself are told of nowhere', () => {
  for (const told of [JSON.stringify(asyncApi(MADE_UP)), eventPage(MADE_UP)]) {
    expect(told).toContain('tea.made');
    expect(told).not.toContain('tea.tasted_in_secret');
  }
  const kept = SERVICES.flatMap(({ registry }) => Object.keys(registry)).filter(
    (type) => !types.some((t) => t === type),
  );
  for (const told of [JSON.stringify(document), page]) {
    expect([...kept, '.private'].filter((word) => told.includes(word))).toEqual([]);
  }
});
