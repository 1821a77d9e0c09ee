-- Who gets a role on new records and documents of a lifecycle. A rule without conditions is the role's default;
-- another one takes its place for those whose fields refer to the records that its conditions name.
CREATE TABLE platform.role_assignment_rule (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lifecycle text NOT NULL,
    role text NOT NULL,
    conditions jsonb NOT NULL DEFAULT '{}',
    allowed_users bigint[] NOT NULL DEFAULT '{}',
    allowed_groups bigint[] NOT NULL DEFAULT '{}',
    default_users bigint[] NOT NULL DEFAULT '{}',
    default_groups bigint[] NOT NULL DEFAULT '{}',
    UNIQUE (lifecycle, role, conditions)
);
