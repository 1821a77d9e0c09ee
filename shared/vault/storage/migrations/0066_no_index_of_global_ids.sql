-- Global IDs need no index: each ends in the id of its record, by which it is found and as unique as which it is
-- (shared/vault/model/field_types.py). Tables of objects only: versions of a document share its Global ID.
DO $$
DECLARE
    named text;
BEGIN
    FOR named IN SELECT i.relname
        FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
            JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = x.indkey[0]
        WHERE i.relnamespace = to_regnamespace('records') AND x.indnkeyatts = 1 AND x.indisunique
            AND a.attname = 'global_id__sys' LOOP
        EXECUTE format('DROP INDEX records.%I', named);
    END LOOP;
END
$$;
