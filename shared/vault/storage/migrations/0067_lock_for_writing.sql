-- Locks tables until the end of a transaction, in the mode that writing them takes anyway, and returns the revision of
-- the components: whoever changes the components of these tables waits. Tables that no longer exist are skipped.
CREATE FUNCTION platform.lock_for_writing(names text[]) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    existing regclass;
BEGIN
    FOR existing IN SELECT to_regclass(name) FROM unnest(names) name WHERE to_regclass(name) IS NOT NULL LOOP
        EXECUTE format('LOCK TABLE %s IN ROW EXCLUSIVE MODE', existing);
    END LOOP;
    -- A statement of its own, which sees what was committed while this one waited for a lock.
    RETURN (SELECT revision FROM platform.component_revision);
END
$$;
-- The earlier name, which processes of an earlier version call.
CREATE OR REPLACE FUNCTION platform.hold_tables(names text[]) RETURNS bigint LANGUAGE sql
AS 'SELECT platform.lock_for_writing(names)';

-- A row for each time that a message was sent from this Vault, with its delivery.
ALTER TABLE platform.message_way RENAME TO sent_message;
ALTER TABLE platform.sent_message RENAME COLUMN way TO id;
ALTER INDEX platform.message_way_pkey RENAME TO sent_message_pkey;
ALTER INDEX platform.message_way_message RENAME TO sent_message_message;
ALTER INDEX platform.message_way_record RENAME TO sent_message_record;
ALTER INDEX platform.message_way_waiting RENAME TO sent_message_waiting;
ALTER INDEX platform.message_way_sent RENAME TO sent_message_sent;
ALTER SEQUENCE platform.message_way_way_seq RENAME TO sent_message_id_seq;
-- The earlier names, which processes of an earlier version read and write.
CREATE VIEW platform.message_way AS
SELECT id AS way, message_id, queue, object, record_id, records, entered, sent, delivered, attempts, error
FROM platform.sent_message;
