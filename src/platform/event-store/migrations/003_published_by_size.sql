-- Public events after a place in the feed, the oldest first: `count` of them, or fewer where they are large (4 MB as they
-- are stored); never one that a later commit could come to lie before. `data` and `metadata` as text: who only carries
-- them on need not parse them.
create or replace function published(after_era integer, after_tx xid8, after_position bigint, count integer)
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
    from (
      select *, sum(pg_column_size(next.data)) over (order by next.era, next.tx, next.position rows unbounded preceding)
        - pg_column_size(next.data) as before
      from (
        select * from event
        where (era, tx, position) > (after_era, after_tx, after_position)
          and (era < (select max(number) from era) or tx < pg_snapshot_xmin(pg_current_snapshot()))
          and topic not like '%.private'
        order by event.era, event.tx, event.position limit count) next) e
    where e.before < 4194304
    order by e.era, e.tx, e.position;
end $$;
