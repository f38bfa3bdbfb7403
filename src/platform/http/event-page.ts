/** The public events for people: what each tells, an example, its producer and its consumers. */
import {
  hasPersonal,
  type JsonSchema,
  plainSchema,
  sealedExample,
  sealedSchema,
} from '../event-store/sealed-schema.ts';
import { busKeyOf, type DescribedEvent, type EventsDescription } from './asyncapi.ts';
import { type Html, html } from './html.ts';
import { page } from './page.ts';

/** The page of /docs/events: a whole HTML document. */
export const eventPage = (description: EventsDescription): string => {
  const events = Object.entries(description.events);
  const topics = [...Map.groupBy(events, ([, { topic }]) => topic)];
  const body = html`<p>What services tell each other. The same for machines: <a href="/asyncapi.json">AsyncAPI 3</a>.
An event is a fact and never changed. Those with the same key come in their order; one may come again, with the same id.</p>
${topics.map(
  ([topic, own]) => html`<h2><code>${topic}</code></h2>
<table>${own.map(([type, { summary }]) => html`<tr><td>${toEvent(type)}</td><td>${summary}</td></tr>`)}</table>`,
)}
<h2 id="personal">What is personal</h2>
<p>A field marked so is sealed before it is written, with the key of the person whom the event is about, and travels
sealed: <code>{"$sealed": "…"}</code>. Services that have the key read it in clear. Once the key is destroyed, nobody does.</p>
<h2 id="services">Producers and consumers</h2>
${services(description)}
${events.map(([type, definition]) => section(type, definition, description))}`;
  return page('Events', body.markup);
};

const toEvent = (type: string): Html => html`<a href="#${type}"><code>${type}</code></a>`;
const listed = (links: readonly Html[], none: string): Html =>
  links.length === 0 ? html`${none}` : html`${links.map((link, n) => (n === 0 ? link : html`, ${link}`))}`;

const services = ({ events, producers, consumers }: EventsDescription): readonly Html[] => {
  const linked = (types: readonly string[]) =>
    listed(types.filter((type) => Object.hasOwn(events, type)).map(toEvent), 'nothing');
  return [
    ...producers.map(
      ({ service, types }) => html`<p id="service-${service}">The ${service} service produces ${linked(types)}.</p>\n`,
    ),
    ...consumers.map(
      ({ name, service, types }) =>
        html`<p id="consumer-${name}"><code>${name}</code> of the ${service} service consumes ${linked(types)}.</p>\n`,
    ),
  ];
};

const section = (type: string, definition: DescribedEvent, { producers, consumers }: EventsDescription): Html => {
  const schema = plainSchema(definition.schema);
  const names = ({ types }: { readonly types: readonly string[] }) => types.includes(type);
  const writers = producers.filter(names).map(({ service }) => html`<a href="#service-${service}">${service}</a>`);
  const readers = consumers.filter(names).map(({ name }) => html`<a href="#consumer-${name}">${name}</a>`);
  return html`<section id="${type}"><h2>${type}</h2><p>${definition.summary}</p>
<table><tr><td>Version</td><td>${definition.version}</td></tr>
<tr><td>Topic, key</td><td><code>${definition.topic}</code>, ${busKeyOf(definition)}</td></tr>
<tr><td>Producer</td><td>${listed(writers, 'none')}</td></tr>
<tr><td>Consumers</td><td>${listed(readers, 'none')}</td></tr></table>
${fieldTable(schema)}
<pre>${pretty(definition.example)}</pre>
${hasPersonal(schema) ? html`<p>As it travels:</p><pre>${pretty(sealedExample(schema, definition.example, type))}</pre>` : ''}
<details><summary>JSON Schema, as it travels</summary>
<pre>${pretty(sealedSchema(schema, '/asyncapi.json#/components/schemas/sealed'))}</pre></details></section>
`;
};

const pretty = (value: unknown): string => JSON.stringify(value, null, 2);

const fieldTable = (schema: JsonSchema): Html => {
  const fields = fieldsOf(schema, '', false);
  if (fields.length === 0) return html`<p>It has no data: that it happened says all.</p>`;
  return html`<table>${fields.map(
    ({ path, field, optional }) => html`<tr><td><code>${path}</code></td>
<td>${formOf(field)}${optional ? ', may be absent' : ''}${field['x-personal'] ? html`, <a href="#personal">personal</a>` : ''}</td>
<td>${field.description ?? ''}</td></tr>`,
  )}</table>`;
};

type Field = { readonly path: string; readonly field: JsonSchema; readonly optional: boolean };
/** The fields that hold values, each with the way to it. */
const fieldsOf = (schema: JsonSchema, way: string, absent: boolean): readonly Field[] =>
  Object.entries(schema.properties ?? {}).flatMap(([name, field]): readonly Field[] => {
    const path = `${way}${name}`;
    const optional = absent || !schema.required?.includes(name);
    return field.properties === undefined || field['x-personal']
      ? [{ path, field, optional }]
      : fieldsOf(field, `${path}.`, optional);
  });

/** What a value is, in a few words. */
const formOf = ({ anyOf, enum: words, items, title, format, type, ...rest }: JsonSchema): string => {
  if (anyOf !== undefined) return anyOf.map(formOf).join(' or ');
  if (words !== undefined) return words.join(' | ');
  if ('const' in rest) return JSON.stringify(rest.const);
  if (items !== undefined) return `list of ${formOf(items)}`;
  return title ?? format ?? type ?? 'any JSON';
};
