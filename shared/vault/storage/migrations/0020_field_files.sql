-- Files of fields of type Attachment: a field holds a handle, which stands for a file name and what the file says.
-- The same file has the same handle; copies of a record share it. What no field refers to is swept once a day.
CREATE TABLE platform.field_file (
    handle text PRIMARY KEY DEFAULT 'ATT-' || gen_random_uuid(),
    filename text NOT NULL,
    format text NOT NULL,
    sha256 text NOT NULL REFERENCES platform.content (sha256),
    last_stored timestamptz NOT NULL DEFAULT now(),
    UNIQUE (filename, sha256)
);
CREATE INDEX field_file_content ON platform.field_file (sha256);

-- Fields that objects had before they could hold anything get their columns, as the schema of an object plans them.
DO $$
DECLARE
    kept record;
    name text;
    suffix text;
    names text[];
BEGIN
    FOR kept IN
        SELECT o.name AS object, f ->> 'name' AS field
        FROM platform.component o, jsonb_array_elements(o.definition -> 'children') f
        WHERE o.type = 'Object' AND f ->> 'type' = 'Field' AND f -> 'attributes' -> 'type' ->> 0 = 'Attachment'
            AND coalesce(f -> 'attributes' -> 'lookup_source_field' ->> 0, '') = ''
            AND coalesce(f -> 'attributes' -> 'rollup' ->> 0, 'false') = 'false'
            AND NOT coalesce(f -> 'attributes', '{}') ? 'formula'
    LOOP
        names := '{}';
        FOREACH suffix IN ARRAY ARRAY['fkey', 'idx'] LOOP
            name := kept.object || '_' || kept.field || '_' || suffix;
            IF length(name) > 63 THEN
                name := left(name, 63 - length(suffix) - 14) || '_'
                    || left(encode(sha256(name::bytea), 'hex'), 12) || '_' || suffix;
            END IF;
            names := names || name;
        END LOOP;
        EXECUTE format('ALTER TABLE records.%I ADD COLUMN %I text', kept.object, kept.field);
        EXECUTE format('ALTER TABLE records.%I ADD CONSTRAINT %I FOREIGN KEY (%I) REFERENCES platform.field_file (handle)',
            kept.object, names[1], kept.field);
        EXECUTE format('CREATE INDEX %I ON records.%I (%I)', names[2], kept.object, kept.field);
    END LOOP;
END $$;
