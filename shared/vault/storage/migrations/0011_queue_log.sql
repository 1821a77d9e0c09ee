-- What became of messages that left a queue, and how the latest over each of its connections fared.

CREATE TABLE platform.queue_log (
    entry bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    logged timestamptz NOT NULL DEFAULT clock_timestamp(),
    queue text NOT NULL,
    connection text NOT NULL,
    message_id text NOT NULL,
    entry_type text NOT NULL CHECK (entry_type IN ('REMOVAL', 'TRACE')),
    queue_time timestamptz NOT NULL,
    send_time timestamptz NOT NULL,
    attempts integer NOT NULL,
    error text
);
CREATE INDEX queue_log_logged ON platform.queue_log (logged, entry);

CREATE TABLE platform.queue_trace (
    queue text PRIMARY KEY,
    ends timestamptz NOT NULL
);

CREATE TABLE platform.queue_connection (
    queue text NOT NULL,
    connection text NOT NULL,
    delivered boolean NOT NULL,
    message_id text NOT NULL,
    date_time timestamptz NOT NULL,
    error text,
    PRIMARY KEY (queue, connection)
);
