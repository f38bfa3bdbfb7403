-- The last life of this store (see set-back.ts) in which the broker was seen to hold nothing that is not here. `seen_era`
-- told less, and is read no more; it goes with a later release, as the one before this may still write it.
alter table relay add column seen_life text;
