-- no transaction
-- Each index is dropped first: a build that was cut off leaves an invalid one behind, and this file may run again.

-- A user's own tasks, newest first: the list page, its cursor, and the statistics.
drop index concurrently if exists idx_tasks_user_id;
create index concurrently idx_tasks_user_id on tasks (user_id, created_at desc, id desc);

-- Tasks assigned to a user, newest first: the other half of the list page.
drop index concurrently if exists idx_tasks_assignee_id;
create index concurrently idx_tasks_assignee_id on tasks (assignee_id, created_at desc, id desc) where assignee_id is not null;

drop index concurrently if exists idx_tasks_status;
create index concurrently idx_tasks_status on tasks (status);

drop index concurrently if exists idx_tasks_created_at;
create index concurrently idx_tasks_created_at on tasks (created_at);
