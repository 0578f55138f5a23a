-- backfill tasks by id
-- Nobody wrote down when these tasks became done; their last change is the latest it can have been.
update tasks set closed_at = updated_at
where id > %(after)s and id <= %(upto)s and status = 'done' and closed_at is null;
