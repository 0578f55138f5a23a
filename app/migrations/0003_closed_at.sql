-- When a task became done; null until then, and for tasks closed before this column until backfill 0003_closed_at.
alter table tasks add column closed_at timestamptz;
