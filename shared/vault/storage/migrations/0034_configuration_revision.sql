-- Counts the changes of records that configure a Vault's connections, as platform.component_revision counts those of
-- components (shared/vault/storage/configuration_revision.py). Whoever changes such records raises the count in the same
-- transaction, and holds its row until the end: so a count is seen together with the change, and never twice for two.
CREATE TABLE platform.configuration_revision (part text PRIMARY KEY, revision bigint NOT NULL);
INSERT INTO platform.configuration_revision VALUES ('connections', 1), ('lookups', 1);

-- What of all this a call or message goes by: components.connections.lookups
CREATE VIEW platform.current_revision AS
SELECT components.revision AS components,
    components.revision || '.' || connections.revision || '.' || lookups.revision AS revision
FROM platform.component_revision components, platform.configuration_revision connections,
    platform.configuration_revision lookups
WHERE connections.part = 'connections' AND lookups.part = 'lookups';

-- Another profile shows a user other objects and fields, also with the same components.
CREATE FUNCTION platform.raise_configuration_revision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE platform.configuration_revision SET revision = revision + 1 WHERE part = 'connections';
    RETURN NULL;
END
$$;
CREATE TRIGGER profile_assigned AFTER UPDATE OF security_profile ON platform.credential FOR EACH ROW
WHEN (OLD.security_profile IS DISTINCT FROM NEW.security_profile)
EXECUTE FUNCTION platform.raise_configuration_revision();

-- The revision as it was when the message was queued, or later; NULL for messages that were queued before this.
ALTER TABLE platform.outbox ADD COLUMN revision text;
