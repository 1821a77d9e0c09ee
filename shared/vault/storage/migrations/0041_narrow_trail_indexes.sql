-- Indexes of the trails by what the rows of a call share, so that PostgreSQL keeps an equal key once for all of them
-- (deduplication): with the id in the key no two are equal. Entries of one moment, or of one message, are sorted when
-- they are read.
SELECT set_config('vault.migrating_role', current_user, true);
-- The audit table's indexes are its owner's.
RESET ROLE;
DROP INDEX platform.audit_entry_time;
CREATE INDEX audit_entry_time ON platform.audit_entry (trail, happened);
-- Ids of records are unique among objects, but for the few objects whose ids are numbers.
DROP INDEX platform.audit_entry_record;
CREATE INDEX audit_entry_record ON platform.audit_entry (record_id) WHERE record_id IS NOT NULL;
DO $$
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', current_setting('vault.migrating_role'));
END
$$;
DROP INDEX platform.lineage_message;
CREATE INDEX lineage_message ON platform.lineage (message_id);
