-- Counts component changes. Whoever writes records holds the components as they are until the end of its transaction,
-- and learns which revision that is; a change of components waits for such transactions, and they for it.
CREATE TABLE platform.component_revision (revision bigint NOT NULL);
INSERT INTO platform.component_revision VALUES (1);

-- A function, because its second statement then sees what was committed while the first one waited.
CREATE FUNCTION platform.hold_components(lock bigint) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(lock);
    RETURN (SELECT revision FROM platform.component_revision);
END
$$;
