create table user_profile (
  id           uuid primary key,
  version      integer not null,
  email        text collate "C",
  username     text collate "C",
  display_name text collate "C",
  locale       text collate "C",
  time_zone    text collate "C",
  created_at   timestamptz not null,
  updated_at   timestamptz not null
);

create table user_session (
  id         uuid primary key,
  version    integer not null,
  user_id    uuid not null,
  method     text collate "C" not null,
  started_at timestamptz not null
);
create index user_session_user on user_session (user_id, started_at);

-- Not folded from events: events say only that a password changed, never anything of it.
create table credential (
  user_id       uuid primary key,
  password_hash text not null,
  changed_at    timestamptz not null default clock_timestamp()
);
