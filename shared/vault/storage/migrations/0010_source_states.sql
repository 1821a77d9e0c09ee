-- Which state of its source record a record tells of (shared/vault/records/source_states.py), on the tables that are
-- there already; new ones come with the column.
DO $$
DECLARE
    records_table text;
BEGIN
    FOR records_table IN SELECT tablename FROM pg_tables WHERE schemaname = 'records' LOOP
        EXECUTE format(
            'ALTER TABLE records.%I ADD COLUMN IF NOT EXISTS source_modified_date__sys timestamptz', records_table);
    END LOOP;
END
$$;

-- The latest moment that the Vault's clock has given to a caller who asks what changed since: no later change is dated
-- before it, also when the server's clock is set back.
CREATE TABLE platform.clock (given timestamptz NOT NULL);
INSERT INTO platform.clock VALUES ('-infinity');
