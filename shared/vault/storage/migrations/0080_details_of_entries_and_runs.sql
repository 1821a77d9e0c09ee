-- What only some audit entries have beside old and new value: of a sign-in the client, of a document its number and
-- version, of a workflow its names and the verdict. Most entries have none, and take no room for it.
SELECT set_config('vault.migrating_role', current_user, true);
-- The audit table is its owner's.
RESET ROLE;
ALTER TABLE platform.audit_entry ADD details jsonb;
DO $$
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', current_setting('vault.migrating_role'));
END
$$;

-- From when a run has read, which may be earlier than Last Successful Run Time; and how many of the written records were
-- stored already as they are.
ALTER TABLE platform.integration_run ADD read_since timestamptz;
ALTER TABLE platform.integration_run_batch ADD unchanged integer NOT NULL DEFAULT 0;
