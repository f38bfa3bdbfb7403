-- One key a person, wrapped with the master key. Destroying it makes every sealed field about them unreadable, in the
-- store, on the bus and in every backup; the row stays, so that no new key is ever made for them.
create table subject_key (
  subject      text collate "C" primary key,
  wrapped      bytea,                              -- null once destroyed
  created_at   timestamptz not null default clock_timestamp(),
  destroyed_at timestamptz,
  check ((wrapped is null) = (destroyed_at is not null))
);

-- Makes the subject's key, or answers the one that is there; null for a destroyed one.
create function key_for(subject text, candidate bytea) returns bytea language plpgsql as $$
#variable_conflict use_column
begin
  insert into subject_key (subject, wrapped) values (key_for.subject, candidate) on conflict do nothing;
  return (select k.wrapped from subject_key k where k.subject = key_for.subject);
end $$;
