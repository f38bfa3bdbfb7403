-- When something is due on an aggregate by itself: one row a stream, folded from its events.
create table schedule (
  id            uuid primary key,
  version       integer not null,
  stream_prefix text collate "C" not null,
  due_at        timestamptz not null
);
create index schedule_due on schedule (stream_prefix, due_at);

-- Who is at it just now, from when until when. Beside the schedule, not in it: a folded row is written whole by every
-- commit of its stream. A token is never given twice, so a worker that was frozen past its lease cannot be taken for its
-- successor. A lease that begins in the future is over: the clock was set back, and nobody shall wait until it is there.
create table lease (
  stream_prefix text collate "C" not null,
  id            uuid not null,
  token         uuid not null,
  since         timestamptz not null,
  until         timestamptz not null,
  claims        integer not null,                    -- since it was last settled; a job that kills its worker counts too
  primary key (stream_prefix, id)
);
