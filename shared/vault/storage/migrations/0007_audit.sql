-- The audit trails: what was changed and who signed in, written in the transaction of the change, never altered after.
CREATE TABLE platform.audit_entry (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    happened timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now()),
    trail text NOT NULL,
    user_id bigint,       -- who did it: of a delegated session, the delegate; null for a sign-in by an unknown name
    user_name text,       -- their name then, where it was at hand
    on_behalf_of bigint,  -- of a delegated session, the user in whose name
    action text NOT NULL,
    item text,            -- the object, or the component's type and name
    record_id text,
    field text,
    old_value text,
    new_value text
);
CREATE INDEX audit_entry_time ON platform.audit_entry (trail, happened, id);
CREATE INDEX audit_entry_record ON platform.audit_entry (record_id, item) WHERE record_id IS NOT NULL;

CREATE FUNCTION platform.refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is append-only' USING ERRCODE = 'insufficient_privilege';
END
$$;
-- For roles whom no permission binds, too.
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON platform.audit_entry
    FOR EACH STATEMENT EXECUTE FUNCTION platform.refuse_audit_change();
ALTER TABLE platform.audit_entry ENABLE ALWAYS TRIGGER append_only;
REVOKE UPDATE, DELETE, TRUNCATE ON platform.audit_entry FROM CURRENT_USER, PUBLIC;
