-- An audit entry has the time of its statement, which comes after the locks of the records: the beginning of the
-- transaction, which may have waited for others, would put entries of a record out of the order of its changes.
SELECT set_config('vault.migrating_role', current_user, true);
-- The audit table is its owner's.
RESET ROLE;
ALTER TABLE platform.audit_entry ALTER happened SET DEFAULT date_trunc('milliseconds', statement_timestamp());
DO $$
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', current_setting('vault.migrating_role'));
END
$$;
