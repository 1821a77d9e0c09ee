-- What the rows of a call share in lineage is stored once: the object, message, run, dates and origin, which were two
-- thirds of each row. A call has a row here for each message and origin of its records.
CREATE TABLE platform.lineage_call (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    object text NOT NULL,
    origin uuid NOT NULL,
    message_id text NOT NULL,
    run integer,                -- the job, of records that a run has found
    told timestamptz NOT NULL,  -- by the clock of the connector
    written timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now()),
    audited bigint              -- the latest audit entry then: what is after it is of a later change
);
ALTER TABLE platform.lineage RENAME TO former_lineage;
ALTER TABLE platform.former_lineage RENAME CONSTRAINT lineage_pkey TO former_lineage_pkey;
DROP INDEX platform.lineage_message;
DROP INDEX platform.lineage_written;
-- A record's later call has the higher id, as its later row had: its calls wait for each other's locks.
CREATE TEMP TABLE former_call ON COMMIT DROP AS
SELECT min(id) AS id, object, origin, message_id, run, told, written, audited
FROM platform.former_lineage GROUP BY object, origin, message_id, run, told, written, audited;
INSERT INTO platform.lineage_call (id, object, origin, message_id, run, told, written, audited)
OVERRIDING SYSTEM VALUE SELECT id, object, origin, message_id, run, told, written, audited FROM former_call ORDER BY id;
SELECT setval(pg_get_serial_sequence('platform.lineage_call', 'id'), max(id)) FROM platform.former_lineage
HAVING max(id) IS NOT NULL;

CREATE TABLE platform.lineage (
    call bigint NOT NULL,
    record_id text NOT NULL,
    source_record text
);
INSERT INTO platform.lineage (call, record_id, source_record)
SELECT DISTINCT ON (c.id, l.record_id) c.id, l.record_id, l.source_record
FROM platform.former_lineage l JOIN former_call c
    ON (c.object, c.origin, c.message_id, c.told, c.written) = (l.object, l.origin, l.message_id, l.told, l.written)
    AND c.run IS NOT DISTINCT FROM l.run AND c.audited IS NOT DISTINCT FROM l.audited
ORDER BY c.id, l.record_id, l.id DESC;
DROP TABLE platform.former_lineage;
ALTER TABLE platform.lineage ADD PRIMARY KEY (record_id, call);
CREATE INDEX lineage_of_call ON platform.lineage (call);
CREATE INDEX lineage_call_message ON platform.lineage_call (message_id);
CREATE INDEX lineage_call_written ON platform.lineage_call USING brin (written);

-- Nothing finds an audit entry by its id: entries are found by their trail and time, or by their record, and sorted by id
-- only then. Lineage, which notes the latest id, has it from the sequence.
SELECT set_config('vault.migrating_role', current_user, true);
-- The audit table is its owner's.
RESET ROLE;
ALTER TABLE platform.audit_entry DROP CONSTRAINT audit_entry_pkey;
DO $$
BEGIN
    -- To read it; only the owner may set it.
    EXECUTE format('GRANT SELECT ON SEQUENCE platform.audit_entry_id_seq TO %I', current_setting('vault.migrating_role'));
    EXECUTE format('SET LOCAL ROLE %I', current_setting('vault.migrating_role'));
END
$$;
