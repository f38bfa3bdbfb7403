/** The headers of an event where a broker carries it: CloudEvents 1.0, binary mode of its Kafka binding, as JSON Schema. */

const uuid = (description: string) => ({ type: 'string', format: 'uuid', description });
const text = (description: string, form: object = {}) => ({ type: 'string', ...form, description });
const PLACE = { pattern: '^[0-9]+:[0-9]+:[0-9]+$' };

/** CloudEvents' own attributes, its extensions for sequence and partitioning, and ours for what led to it and where it lies. */
const always = {
  ce_specversion: { type: 'string', const: '1.0' },
  ce_id: uuid('The event’s own id; a second delivery is known by it.'),
  ce_source: text('The service that wrote it.', { format: 'uri-reference' }),
  ce_type: text('The event’s type.'),
  ce_subject: text('The stream that it is an event of: what became of one aggregate.'),
  ce_time: text('When it happened, by the clock of the process that decided.', { format: 'date-time' }),
  ce_dataschema: text('The type, and the version of its schema that the data was written in.', { format: 'uri' }),
  ce_sequence: text('The event’s number in its stream.', { pattern: '^[1-9][0-9]*$' }),
  ce_partitionkey: text('The message’s key.'),
  ce_recordedat: text('When it was stored, by the clock of the database.', { format: 'date-time' }),
  ce_actor: text('Who did it: the id of a user, or the name of a process.'),
  ce_correlationid: uuid('The request that began it all.'),
  ce_causationid: uuid('The event or request that led to this one directly.'),
  ce_requestid: uuid('The request that it is part of, as X-Request-Id names it.'),
  ce_position: text('The event’s place in its service’s feed: era, transaction and position.', PLACE),
  ce_predecessor: text('The place of the event before it in its lane; by it a gap is seen.', PLACE),
  'content-type': { type: 'string', const: 'application/json' },
};

export const CLOUDEVENT_HEADERS = {
  type: 'object',
  properties: {
    ...always,
    ce_person: text('The person whom the event is about; their key opens what is sealed.'),
    traceparent: text('W3C Trace Context.'),
  },
  required: Object.keys(always),
};
