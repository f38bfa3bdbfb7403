-- Counted at every look at the health: mails that failed and wait, which are few of many.
-- allow index-not-concurrent: no release has this table without the index, so it is empty
create index mail_list_again on mail_list (last_code) where status = 'waiting' and attempts > 0;
