-- Where each consumer of this service stands. These rows, not the bus, are the truth: they move in the transaction that
-- has the effect, so whatever is delivered twice has its effect once.

-- A subscription, fixed at its first registration.
create table consumer (
  name          text collate "C" primary key,
  begins        text collate "C" not null check (begins in ('beginning', 'now')),
  registered_at timestamptz not null default clock_timestamp()
);

-- How far a part of the bus was read: the log bus has one part a source, Kafka one a partition. What the cursor means is
-- the bus's affair; start_* is the place in the source's feed before which nothing is for this consumer.
create table consumer_source (
  consumer       text collate "C" not null references consumer on update cascade on delete cascade,
  source         text collate "C" not null,
  start_era      integer not null,
  start_tx       xid8 not null,
  start_position bigint not null,
  registration   uuid not null default gen_random_uuid(), -- of whoever was retired and begins anew, another one
  primary key (consumer, source)
);
create table consumer_cursor (
  consumer text collate "C" not null,
  source   text collate "C" not null,
  part     text collate "C" not null,
  cursor   text collate "C" not null,
  primary key (consumer, source, part),
  foreign key (consumer, source) references consumer_source on update cascade on delete cascade
);

-- The last event of a lane that was dealt with: handled, passed over or parked. Every change of a lane raises its revision
-- and insists on the one that it saw, so of two processes that think the lane is theirs one commits and the other nothing.
create table consumer_lane (
  consumer   text collate "C" not null,
  source     text collate "C" not null,
  topic      text collate "C" not null,
  lane       smallint not null,
  era        integer not null,
  tx         xid8 not null,
  position   bigint not null,
  revision   integer not null,
  updated_at timestamptz not null default clock_timestamp(),
  primary key (consumer, source, topic, lane),
  foreign key (consumer, source) references consumer_source on update cascade on delete cascade
);

-- A dead letter: a key whose first event could not be handled, and all its followers behind it, as they came: sealed.
create table parked_key (
  consumer        text collate "C" not null,
  source          text collate "C" not null,
  topic           text collate "C" not null,
  key             text collate "C" not null,
  lane            smallint not null,
  -- failed: the consumer threw; unknown: a type or version of a newer release; unreadable: no such event can be made of it
  cause           text collate "C" not null check (cause in ('failed', 'unknown', 'unreadable')),
  error           text not null,
  attempts        integer not null,
  parked_at       timestamptz not null default clock_timestamp(),
  next_attempt_at timestamptz,                       -- null = waits for a hand, or for a release that knows it
  primary key (consumer, source, topic, key),
  foreign key (consumer, source) references consumer_source on update cascade on delete cascade
);
create index parked_key_due on parked_key (consumer, source, next_attempt_at) where next_attempt_at is not null;
create table parked_event (
  consumer       text collate "C" not null,
  source         text collate "C" not null,
  topic          text collate "C" not null,
  key            text collate "C" not null,
  era            integer not null,
  tx             xid8 not null,
  position       bigint not null,
  lane           smallint not null,
  id             text not null,
  stream         text collate "C" not null,
  version        integer not null,
  subject        text collate "C",
  type           text collate "C" not null,
  schema_version integer not null,
  data           text not null,
  metadata       text not null,
  recorded_at    timestamptz not null,
  primary key (consumer, source, topic, key, era, tx, position),
  foreign key (consumer, source, topic, key) references parked_key on update cascade on delete cascade
);

-- Who of several processes reads for a consumer just now. Only so that they do not all do the same work: what is right
-- is decided by the lanes' revisions.
create table consumer_lease (
  consumer text collate "C" not null,
  source   text collate "C" not null,
  holder   uuid not null,
  until    timestamptz not null,
  primary key (consumer, source)
);
