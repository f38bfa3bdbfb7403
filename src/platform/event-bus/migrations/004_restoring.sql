-- What a broker holds is being brought back to this store, or that was broken off: see restore.ts.
alter table relay add column restoring boolean not null default false;
