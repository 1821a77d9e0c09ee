-- Audit entries of a call about records with neighbouring ids are one row with arrays, found by the range of the ids: a
-- thirtieth of the bytes of rows of their own. Rows with one entry go on as they were.
SELECT set_config('vault.migrating_role', current_user, true);
-- The audit table is its owner's, and so is the type of its column: who owns a type may drop its columns.
RESET ROLE;
CREATE TYPE platform.record_range AS RANGE (subtype = text, collation = "C");
ALTER TABLE platform.audit_entry
    ADD entries smallint,      -- the number of entries of a row with several; null for one
    ADD records platform.record_range,
    ADD record_ids text[],     -- these and the following by entry, instead of the columns of one
    ADD fields text[],
    ADD old_values text[],
    ADD new_values text[];
-- A row takes as many ids as it may have entries: its entries have the ids from its own on.
ALTER TABLE platform.audit_entry ALTER id SET INCREMENT BY 100, ADD CHECK (entries <= 100);
CREATE INDEX audit_entry_records ON platform.audit_entry USING gist (records) WHERE records IS NOT NULL;
DO $$
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', current_setting('vault.migrating_role'));
END
$$;

-- The same for lineage.
ALTER TABLE platform.lineage
    DROP CONSTRAINT lineage_pkey,
    ALTER record_id DROP NOT NULL,
    ADD records platform.record_range,
    ADD record_ids text[],
    ADD source_records text[];
CREATE INDEX lineage_of_record ON platform.lineage (record_id) WHERE record_id IS NOT NULL;
CREATE INDEX lineage_of_records ON platform.lineage USING gist (records) WHERE records IS NOT NULL;
