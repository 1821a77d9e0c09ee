-- The date of a change that is made now, and a sign to all sessions that its transaction may still commit changes with
-- this and later dates (shared/vault/storage/clock.py): an advisory lock whose two keys are a moment, in days since 1970
-- and milliseconds of the day. No other advisory lock here has two keys. The lock lasts as long as the transaction,
-- a prepared one too; a savepoint that is undone undoes it together with the setting that remembers it.
CREATE FUNCTION platform.change_date() RETURNS timestamptz LANGUAGE plpgsql AS $$
DECLARE
    first timestamptz := nullif(current_setting('vault.first_change_date', true), '');
    milliseconds bigint;
BEGIN
    IF first IS NULL THEN
        first := (SELECT greatest(date_trunc('milliseconds', clock_timestamp()), given) FROM platform.clock);
        milliseconds := extract(epoch FROM first) * 1000;
        PERFORM pg_advisory_xact_lock_shared((milliseconds / 86400000)::integer, (milliseconds % 86400000)::integer);
        PERFORM set_config('vault.first_change_date', first::text, true);
    END IF;
    -- A statement of its own, which sees every moment that was given out before the lock could be seen.
    RETURN (SELECT greatest(date_trunc('milliseconds', clock_timestamp()), given, first) FROM platform.clock);
END
$$;

-- Deletions are dated like other changes, not by the beginning of their transaction.
ALTER TABLE platform.deletion ALTER COLUMN date_deleted SET DEFAULT platform.change_date();

-- complete_until: the moment until which the source's changes were complete; NULL when the source cannot tell.
-- continues: the window begins at such a moment of an earlier run, so that nothing before it can be missing.
ALTER TABLE platform.integration_run
    ADD COLUMN complete_until timestamptz,
    ADD COLUMN continues boolean NOT NULL DEFAULT false;
