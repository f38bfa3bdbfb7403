create table mail_list (
  id           uuid primary key,
  version      integer not null,
  recipient_id uuid not null,
  rule         text collate "C" not null,
  status       text collate "C" not null,
  attempts     integer not null,
  last_code    text collate "C",
  requested_at timestamptz not null,
  sent_at      timestamptz
);

create table inbox_list (
  id            uuid primary key,
  version       integer not null,
  recipient_id  uuid not null,
  rule          text collate "C" not null,
  about         jsonb,
  title         text collate "C",
  due_at        timestamptz,
  created_at    timestamptz not null,
  read_at       timestamptz,
  archived_at   timestamptz,
  suppressed_at timestamptz
);
create index inbox_list_newest on inbox_list (recipient_id, created_at, id);
-- Counted at every look at the inbox, and few of many.
create index inbox_list_unread on inbox_list (recipient_id, created_at)
  where read_at is null and archived_at is null and suppressed_at is null;

-- What other services tell of people and tasks, as far as it is needed here.
create table person (
  id           uuid primary key,
  email        text collate "C",
  username     text collate "C",
  display_name text collate "C",
  locale       text collate "C",
  time_zone    text collate "C"
);
create table known_task (
  id       uuid primary key,
  owner_id uuid not null,
  title    text collate "C"
);

-- The built-in mailbox: a row each time a mail was accepted, so that one that was sent twice is seen twice.
create table dev_mailbox (
  position   bigint generated always as identity primary key,
  id         uuid not null unique,
  message_id text collate "C" not null,
  sender     text collate "C" not null,
  recipient  text collate "C" not null,
  subject    text collate "C" not null,
  text       text collate "C" not null,
  html       text collate "C" not null,
  at         timestamptz not null default clock_timestamp()
);
