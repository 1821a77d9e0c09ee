-- How many records each object has: the sum of what every statement has added or removed. A query without conditions
-- reads its total here instead of counting all records. Rows are only added, so that nobody waits for anybody; what a
-- transaction has changed, others see when it has committed, as with the records themselves.
CREATE TABLE platform.record_count (
    id bigint GENERATED ALWAYS AS IDENTITY,
    object text NOT NULL,
    change bigint NOT NULL
);
CREATE INDEX record_count_object ON platform.record_count (object);

-- Each 64th statement makes one row of those that it can have at once.
CREATE FUNCTION platform.count_records() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed bigint;
    added bigint;
BEGIN
    SELECT count(*) INTO changed FROM changed_records;
    IF changed = 0 THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'DELETE' THEN
        changed := -changed;
    END IF;
    INSERT INTO platform.record_count (object, change) VALUES (TG_TABLE_NAME, changed) RETURNING id INTO added;
    IF added % 64 = 0 THEN
        WITH several AS (
            SELECT ctid FROM platform.record_count WHERE object = TG_TABLE_NAME LIMIT 1000 FOR UPDATE SKIP LOCKED
        ), removed AS (
            DELETE FROM platform.record_count WHERE ctid = ANY (ARRAY(SELECT ctid FROM several)) RETURNING change
        )
        INSERT INTO platform.record_count (object, change) SELECT TG_TABLE_NAME, sum(change) FROM removed;
    END IF;
    RETURN NULL;
END
$$;

-- shared/vault/components/schema.py has the same for new objects.
DO $$
DECLARE
    counted text;
BEGIN
    FOR counted IN SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace('records') AND relkind = 'r' LOOP
        EXECUTE format('CREATE TRIGGER records_added AFTER INSERT ON records.%I REFERENCING NEW TABLE AS changed_records'
            ' FOR EACH STATEMENT EXECUTE FUNCTION platform.count_records()', counted);
        EXECUTE format('CREATE TRIGGER records_removed AFTER DELETE ON records.%I REFERENCING OLD TABLE AS changed_records'
            ' FOR EACH STATEMENT EXECUTE FUNCTION platform.count_records()', counted);
        EXECUTE format('INSERT INTO platform.record_count (object, change) SELECT %L, count(*) FROM records.%I',
            counted, counted);
    END LOOP;
END
$$;
