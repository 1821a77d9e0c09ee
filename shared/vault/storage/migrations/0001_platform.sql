-- Platform tables of a Vault: what it keeps beside the records of its objects.
CREATE SCHEMA platform;
CREATE SCHEMA records;

-- Components as trees.
CREATE TABLE platform.component (
    type text NOT NULL,
    name text NOT NULL,
    definition jsonb NOT NULL,
    position bigint GENERATED ALWAYS AS IDENTITY,
    modified_by bigint NOT NULL,
    modified_date timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (type, name)
);

-- Record ids are handed out in blocks, one block a process at a time.
CREATE SEQUENCE platform.record_id_block;

CREATE TABLE platform.standard_load (
    name text PRIMARY KEY,
    completed_date timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE platform.credential (
    user_id bigint PRIMARY KEY,
    username text NOT NULL UNIQUE,
    password_hash text NOT NULL,
    security_profile text NOT NULL,
    active boolean NOT NULL DEFAULT true,
    last_login timestamptz
);

CREATE TABLE platform.session (
    token_hash bytea PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES platform.credential (user_id) ON DELETE CASCADE,
    created_date timestamptz NOT NULL DEFAULT now(),
    used_date timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE platform.query_cursor (
    id uuid PRIMARY KEY,
    user_id bigint NOT NULL,
    query text NOT NULL,
    total bigint NOT NULL,
    -- last record id of each page served so far, by the offset that follows it
    positions jsonb NOT NULL DEFAULT '{}',
    created_date timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE platform.outbox (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    queue text NOT NULL,
    direction text NOT NULL,
    message_id text NOT NULL,
    message jsonb NOT NULL,
    enter_queue_timestamp timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE platform.queue_delivery (
    queue text PRIMARY KEY,
    enabled boolean NOT NULL
);
CREATE INDEX query_cursor_created_date ON platform.query_cursor (created_date);
