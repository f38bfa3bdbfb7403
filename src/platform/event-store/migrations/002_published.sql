-- What the other services may know: the events on public topics, in commit order. Nothing else of a store is theirs.

-- The same append, which now also answers where its events lie: a token of consistency names the place that a reader
-- must have reached. positions = {event id: position}; null where nothing was appended.
create or replace function append(era integer, streams json, keys json, take json, release json, events json) returns json
language plpgsql set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
  refused jsonb;
  positions json;
begin
  if pg_current_xact_id_if_assigned() is not null then
    raise exception 'append must be the first write of its transaction';
  end if;
  -- The reads below are statements of their own: they need a snapshot taken after the locks.
  select coalesce(jsonb_object_agg(n, jsonb_build_array(verdict)), '{}') into refused from (
    select n, min(verdict) as verdict from (
      select s.n, 'busy' as verdict, case when s.shared
          then pg_try_advisory_xact_lock_shared(hashtextextended(s.stream, 7))
          else pg_try_advisory_xact_lock(hashtextextended(s.stream, 7)) end as got
        from json_to_recordset(streams) s(n integer, stream text, shared boolean)
      union all
      select r.n, 'busy', pg_try_advisory_xact_lock(hashtextextended(r.scope || chr(31) || r.value, 8))
        from json_to_recordset(take) r(n integer, scope text, value text)
      union all
      select k.n, 'in-flight', pg_try_advisory_xact_lock(hashtextextended(k.principal || chr(31) || k.route || chr(31) || k.key, 9))
        from json_to_recordset(keys) k(n integer, principal text, route text, key text)
    ) locks where not got group by n
  ) locked;
  -- Of several verdicts the last in rank stands: a command that was seen is answered again, whatever else became of it.
  select refused || coalesce(jsonb_object_agg(n, found order by rank), '{}') into refused from (
    select s.n, jsonb_build_array('stale') as found, 1 as rank
      from json_to_recordset(streams) s(n integer, stream text, expected integer)
      where s.expected <> coalesce((select e.version from event e where e.stream = s.stream order by e.version desc limit 1), 0)
    union all
    select r.n, jsonb_build_array('taken', r.scope), 2 from json_to_recordset(take) r(n integer, scope text, value text)
      where exists (select from reservation x where x.scope = r.scope and x.value = r.value)
    union all
    select s.n, jsonb_build_array('duplicate'), 3 from json_to_recordset(streams) s(n integer, first uuid)
      where exists (select from event e where e.id = s.first)
    union all
    select k.n, jsonb_build_array('seen'), 4 from json_to_recordset(keys) k(n integer, principal text, route text, key text)
      where exists (select from idempotency i where i.principal = k.principal and i.route = k.route and i.key = k.key)
  ) verdicts where not refused ? verdicts.n::text;
  with appended as (
    insert into event (era, id, stream, version, topic, key, lane, subject, type, schema_version, data, metadata)
      select append.era, e.id, e.stream, e.version, e.topic, e.key, e.lane, e.subject, e.type, e."schemaVersion", e.data, e.metadata
      from json_to_recordset(events) e(n integer, id uuid, stream text, version integer, topic text, key text, lane smallint,
        subject text, type text, "schemaVersion" smallint, data json, metadata jsonb)
      where not refused ? e.n::text
      order by e.n, e.stream, e.version
    returning id, position)
  select json_object_agg(id, position) into positions from appended;
  delete from reservation x
    using json_to_recordset(release) r(n integer, scope text, value text, holder text)
    where x.scope = r.scope and x.value = r.value and x.holder = r.holder and not refused ? r.n::text;
  insert into reservation (scope, value, holder)
    select r.scope, r.value, r.holder from json_to_recordset(take) r(n integer, scope text, value text, holder text)
    where not refused ? r.n::text;
  insert into idempotency (principal, route, key, body_hash, results)
    select k.principal, k.route, k.key, k."bodyHash", k.results
    from json_to_recordset(keys) k(n integer, principal text, route text, key text, "bodyHash" text, results json)
    where not refused ? k.n::text;
  -- A number even where nothing was written here: the rows of trip 2 may be all there is, and their COMMIT may be lost.
  return json_build_object('tx', pg_current_xact_id(), 'refused', refused, 'positions', positions);
end $$;

-- Public events after a place in the feed, the oldest first; never one that a later commit could come to lie before.
-- `data` and `metadata` as text: who only carries them on need not parse them.
create function published(after_era integer, after_tx xid8, after_position bigint, count integer)
returns table (era integer, tx text, "position" bigint, id uuid, stream text, version integer, topic text, key text,
  lane smallint, subject text, type text, "schemaVersion" smallint, data text, metadata text, "recordedAt" timestamptz)
language plpgsql security definer set search_path from current set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_sort = off as $$
#variable_conflict use_column
begin
  perform current_era(); -- after a restore, whoever comes first opens the era: this reader may be the one
  return query
    select e.era, e.tx::text, e.position, e.id, e.stream, e.version, e.topic, e.key, e.lane, e.subject, e.type,
      e.schema_version, e.data::text, e.metadata::text, e.recorded_at
    from event e
    where (e.era, e.tx, e.position) > (after_era, after_tx, after_position)
      and (e.era < (select max(number) from era) or e.tx < pg_snapshot_xmin(pg_current_snapshot()))
      and e.topic not like '%.private'
    order by e.era, e.tx, e.position limit count;
end $$;

-- The place of the newest event that `published` would show; no row in a store without any.
create function published_end() returns table (era integer, tx text, "position" bigint)
language plpgsql security definer set search_path from current as $$
#variable_conflict use_column
begin
  perform current_era();
  return query
    select e.era, e.tx::text, e.position from event e
    where (e.era < (select max(number) from era) or e.tx < pg_snapshot_xmin(pg_current_snapshot()))
    order by e.era desc, e.tx desc, e.position desc limit 1;
end $$;

-- How many public events lie behind a place (counted up to `most`), and when the first of them was recorded. Counts
-- what is committed, visible to the feed or not: what a long writer holds back is lag too.
create function published_lag(after_era integer, after_tx xid8, after_position bigint, most integer)
returns table (events integer, oldest timestamptz)
language plpgsql stable security definer set search_path from current as $$
begin
  return query
    select count(*)::integer, min(behind.recorded_at) from (
      select e.recorded_at from event e
      where (e.era, e.tx, e.position) > (after_era, after_tx, after_position) and e.topic not like '%.private'
      order by e.era, e.tx, e.position limit most) behind;
end $$;
