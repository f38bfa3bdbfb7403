-- Tasks that were there before there were timers: each is looked at a day before it is due, and the timer sets right when
-- that is not the time. What was overdue already is not told any more.
-- allow long-write: it came before the first release, so nobody has many tasks without timers
insert into schedule (id, version, stream_prefix, due_at)
  select id, version, 'task', due_at - interval '24 hours' from task_list
  where status = 'open' and deleted_at is null and due_at > now()
  on conflict (id) do nothing;
