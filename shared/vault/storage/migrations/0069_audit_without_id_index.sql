-- Nothing finds an audit entry by its id: entries are found by their trail and time, or by their record, and sorted by id
-- only then. Lineage, which notes the latest id, has it from the sequence.
SELECT set_config('vault.migrating_role', current_user, true);
-- The audit table is its owner's.
RESET ROLE;
ALTER TABLE platform.audit_entry DROP CONSTRAINT audit_entry_pkey;
DO $$
BEGIN
    -- To read it; only the owner may set it.
    EXECUTE format('GRANT SELECT ON SEQUENCE platform.audit_entry_id_seq TO %I', current_setting('vault.migrating_role'));
    EXECUTE format('SET LOCAL ROLE %I', current_setting('vault.migrating_role'));
END
$$;
