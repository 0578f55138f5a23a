-- contract
-- after backfill 0003_closed_at
-- no transaction
-- A done task says when it was closed. Releases that do not write closed_at cannot finish a task from here on.
alter table tasks drop constraint if exists tasks_done_is_closed;
alter table tasks add constraint tasks_done_is_closed check (status <> 'done' or closed_at is not null) not valid;
alter table tasks validate constraint tasks_done_is_closed;
