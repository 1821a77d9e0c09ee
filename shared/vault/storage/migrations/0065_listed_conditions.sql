-- By what people have narrowed lists of objects with many records: these conditions have an index in the order of the
-- list (shared/vault/configuration/list_indexes.py). The statement is VQL of declared values alone; of other values,
-- which may be names of people, only the fields are noted.
CREATE TABLE platform.listed_condition (
    statement text NOT NULL,
    keys text[] NOT NULL,
    used_date timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (statement, keys)
);
-- Indexes of dates that every record has were built in an order that no query asks for.
DO $$
DECLARE
    named text;
BEGIN
    FOR named IN SELECT i.relname FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
        WHERE i.relnamespace = to_regnamespace('records')
            AND i.relname ~ '_(created_date__v|modified_date__v|created_by__v|modified_by__v|global_id__sys)_desc$' LOOP
        EXECUTE format('DROP INDEX records.%I', named);
    END LOOP;
END
$$;
