-- Whoever writes records keeps the components of what it writes as they are until the end of its transaction, and learns
-- which revision that is; a change of components waits for those who write the tables it concerns, and they for it. The
-- lock is the one that writing takes anyway. A table that is not there is passed over: what it was is gone.
CREATE FUNCTION platform.hold_tables(names text[]) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    held regclass;
BEGIN
    FOR held IN SELECT to_regclass(name) FROM unnest(names) name WHERE to_regclass(name) IS NOT NULL LOOP
        EXECUTE format('LOCK TABLE %s IN ROW EXCLUSIVE MODE', held);
    END LOOP;
    -- A statement of its own, which sees what was committed while a lock was waited for.
    RETURN (SELECT revision FROM platform.component_revision);
END
$$;
