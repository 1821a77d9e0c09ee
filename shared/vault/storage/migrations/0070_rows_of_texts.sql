-- Rows of text columns as parameters of statements that write many records: for the driver, an array of rows takes less
-- to encode than an array for each column.
DO $$
DECLARE
    size int;
BEGIN
    FOREACH size IN ARRAY ARRAY[8, 16, 24, 32] LOOP
        EXECUTE format(
            'CREATE TYPE platform.texts_%s AS (%s)',
            size,
            (SELECT string_agg('c' || number || ' text', ', ' ORDER BY number) FROM generate_series(1, size) AS number)
        );
    END LOOP;
END
$$;
