-- A job that a delegate submits runs with what a delegate may do, also when the session has ended.
ALTER TABLE platform.job ADD COLUMN delegate_user_id bigint;
