create table task_list (
  id            uuid primary key,
  version       integer not null,
  owner_id      uuid not null,
  title         text collate "C",
  description   text collate "C",
  status        text collate "C" not null,
  priority      text collate "C" not null,
  category_id   uuid,
  due           jsonb,
  due_at        timestamptz,
  created_at    timestamptz not null,
  updated_at    timestamptz not null,
  completed_at  timestamptz,
  deleted_at    timestamptz,
  title_key     text collate "C" not null,
  priority_rank smallint not null,
  search_text   text collate "C" not null
);
create index task_list_newest on task_list (owner_id, created_at, id);
create index task_list_due on task_list (owner_id, due_at) where due_at is not null;
create index task_list_category on task_list (category_id) where category_id is not null;
-- No index over search_text: a person searches their own tasks, which are walked in the order of the list. An inverted
-- index over everybody's words cost each write 23 µs more, and would read everybody's matches.

create table category_list (
  id         uuid primary key,
  version    integer not null,
  owner_id   uuid not null,
  name       text collate "C",
  color      text collate "C",
  "order"    integer not null,
  status     text collate "C" not null,
  created_at timestamptz not null,
  updated_at timestamptz not null
);
create index category_list_order on category_list (owner_id, "order", id);
