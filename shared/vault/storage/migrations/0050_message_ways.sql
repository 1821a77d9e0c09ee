-- A row for each time that a message was sent from this Vault, with what became of it; the ids in it are of records.
CREATE TABLE platform.message_way (
    way bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id text NOT NULL,
    queue text NOT NULL,
    object text,
    record_id text,         -- the first one; a message of one record is found by it
    records integer NOT NULL,
    entered timestamptz NOT NULL,
    sent timestamptz NOT NULL DEFAULT clock_timestamp(),
    delivered timestamptz,  -- or given up: then with an error
    attempts integer,
    error text
);
CREATE INDEX message_way_message ON platform.message_way (message_id, queue);
CREATE INDEX message_way_record ON platform.message_way (record_id, way) WHERE record_id IS NOT NULL;
CREATE INDEX message_way_waiting ON platform.message_way (queue, entered) WHERE delivered IS NULL;
CREATE INDEX message_way_sent ON platform.message_way USING brin (sent);
CREATE INDEX queue_log_message ON platform.queue_log (message_id);
