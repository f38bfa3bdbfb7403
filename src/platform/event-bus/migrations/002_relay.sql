-- How far this service's feed was carried to a broker. Each store of it raises the revision and insists on the one before.
create table relay (
  only_one   boolean primary key default true check (only_one),
  revision   integer not null default 0,
  era        integer not null default 0,
  tx         xid8 not null default '0',
  position   bigint not null default 0,
  -- The last life of this store in which the broker was seen to hold nothing that is not here; see relay.ts
  seen_era   integer not null default 0,
  updated_at timestamptz not null default clock_timestamp()
);
insert into relay default values;
-- Of each lane the last event up to there: the predecessor of what comes next in it.
create table relay_lane (
  topic    text collate "C" not null,
  lane     smallint not null,
  era      integer not null,
  tx       xid8 not null,
  position bigint not null,
  primary key (topic, lane)
);
