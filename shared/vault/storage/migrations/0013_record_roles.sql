-- Roles that users and groups are given on single records.
CREATE TABLE platform.record_role (
    object text NOT NULL,
    record_id text NOT NULL,
    role text NOT NULL,
    user_id bigint REFERENCES platform.credential (user_id) ON DELETE CASCADE,
    group_id bigint REFERENCES platform.user_group (id) ON DELETE CASCADE,
    CHECK (num_nonnulls(user_id, group_id) = 1)
);
CREATE UNIQUE INDEX record_role_user ON platform.record_role (record_id, object, role, user_id)
    WHERE user_id IS NOT NULL;
CREATE UNIQUE INDEX record_role_group ON platform.record_role (record_id, object, role, group_id)
    WHERE group_id IS NOT NULL;
CREATE INDEX record_role_of_user ON platform.record_role (user_id);
CREATE INDEX record_role_of_group ON platform.record_role (group_id);
