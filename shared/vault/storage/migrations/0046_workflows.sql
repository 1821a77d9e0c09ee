-- Object workflows under way and ended. Each keeps the definition that it was started with: a later change of the
-- component concerns later workflows.
CREATE TABLE platform.workflow_definition (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    version integer NOT NULL,
    digest text NOT NULL,
    component jsonb NOT NULL,
    UNIQUE (name, version),
    UNIQUE (name, digest)
);

CREATE TABLE platform.workflow (
    id bigint GENERATED ALWAYS AS IDENTITY (START WITH 1001) PRIMARY KEY,
    definition_id bigint NOT NULL REFERENCES platform.workflow_definition (id),
    name text NOT NULL,
    label text NOT NULL,
    description text,
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'completed', 'cancelled')),
    owner_id bigint NOT NULL,
    -- the ids of users by participant control, as the initiator named them
    participants jsonb NOT NULL DEFAULT '{}',
    cancellation_comment text,
    created_by bigint NOT NULL,
    created_date timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now()),
    modified_by bigint NOT NULL,
    modified_date timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now()),
    ended_date timestamptz
);
CREATE INDEX workflow_owner ON platform.workflow (owner_id, status);

CREATE TABLE platform.workflow_item (
    id bigint GENERATED ALWAYS AS IDENTITY (START WITH 1001) PRIMARY KEY,
    workflow_id bigint NOT NULL REFERENCES platform.workflow (id) ON DELETE CASCADE,
    object text NOT NULL,
    record_id text NOT NULL,
    active boolean NOT NULL DEFAULT true
);
-- A record is in one workflow at a time.
CREATE UNIQUE INDEX workflow_item_active ON platform.workflow_item (record_id, object) WHERE active;
CREATE INDEX workflow_item_record ON platform.workflow_item (record_id, object);
CREATE INDEX workflow_item_workflow ON platform.workflow_item (workflow_id);

CREATE TABLE platform.workflow_task (
    id bigint GENERATED ALWAYS AS IDENTITY (START WITH 1001) PRIMARY KEY,
    workflow_id bigint NOT NULL REFERENCES platform.workflow (id) ON DELETE CASCADE,
    step text NOT NULL,
    label text NOT NULL,
    instructions text NOT NULL DEFAULT '',
    participant text NOT NULL,
    iteration integer NOT NULL,
    status text NOT NULL CHECK (status IN ('available', 'assigned', 'completed', 'cancelled')),
    owner_id bigint,
    due_date timestamptz,
    comment text,
    created_date timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now()),
    assigned_date timestamptz,
    modified_date timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now()),
    ended_date timestamptz,
    completed_by bigint
);
CREATE INDEX workflow_task_workflow ON platform.workflow_task (workflow_id);
CREATE INDEX workflow_task_owner ON platform.workflow_task (owner_id, status);

-- Who may accept a task that is available to several.
CREATE TABLE platform.workflow_task_candidate (
    task_id bigint NOT NULL REFERENCES platform.workflow_task (id) ON DELETE CASCADE,
    user_id bigint NOT NULL,
    PRIMARY KEY (task_id, user_id)
);
CREATE INDEX workflow_task_candidate_user ON platform.workflow_task_candidate (user_id);

CREATE TABLE platform.workflow_task_item (
    id bigint GENERATED ALWAYS AS IDENTITY (START WITH 1001) PRIMARY KEY,
    task_id bigint NOT NULL REFERENCES platform.workflow_task (id) ON DELETE CASCADE,
    item_id bigint NOT NULL REFERENCES platform.workflow_item (id) ON DELETE CASCADE,
    verdict text,
    verdict_label text,
    comment text,
    UNIQUE (task_id, item_id)
);
