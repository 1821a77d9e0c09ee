-- The index of the modified date is built for the objects that are read by date, after their first use, as those of other
-- fields are (shared/vault/configuration/order_indexes.py). Where there are many records, the one that exists goes on as
-- such an index, and is dropped if nobody uses it; the others go.
DO $$
DECLARE
    existing record;
    following text;
BEGIN
    FOR existing IN SELECT t.relname AS object, i.relname AS named,
            (SELECT coalesce(sum(change), 0) FROM platform.record_count c WHERE c.object = t.relname) AS records
        FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
            JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = x.indkey[0]
        WHERE i.relnamespace = to_regnamespace('records') AND x.indnatts = 1 AND x.indpred IS NULL
            AND a.attname = 'modified_date__v' AND i.relname LIKE '%\_idx' LOOP
        following := existing.object || '_modified_date__v_asc';
        -- A longer name is one that the Vault shortens: its index is built anew.
        IF existing.records >= 1000 AND octet_length(following) <= 63
                AND to_regclass(format('records.%I', following)) IS NULL THEN
            EXECUTE format('ALTER INDEX records.%I RENAME TO %I', existing.named, following);
        ELSE
            EXECUTE format('DROP INDEX records.%I', existing.named);
        END IF;
        IF existing.records >= 1000 THEN
            INSERT INTO platform.ordered_field (object, field, descending)
            VALUES (existing.object, 'modified_date__v', false) ON CONFLICT DO NOTHING;
        END IF;
    END LOOP;
END
$$;
