-- By whom and when a component was created, and each field of an object created and changed, as metadata tells it.
ALTER TABLE platform.component
    ADD COLUMN created_by bigint,  -- unknown of what an older process creates while newer ones start
    ADD COLUMN created_date timestamptz NOT NULL DEFAULT now();
UPDATE platform.component SET created_by = modified_by, created_date = modified_date;

CREATE TABLE platform.object_field (
    type text NOT NULL DEFAULT 'Object',
    object text NOT NULL,
    name text NOT NULL,
    created_by bigint NOT NULL,
    created_date timestamptz NOT NULL DEFAULT now(),
    modified_by bigint NOT NULL,
    modified_date timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (object, name),
    FOREIGN KEY (type, object) REFERENCES platform.component (type, name) ON UPDATE CASCADE ON DELETE CASCADE
);
INSERT INTO platform.object_field (object, name, created_by, created_date, modified_by, modified_date)
SELECT o.name, f ->> 'name', o.created_by, o.created_date, o.modified_by, o.modified_date
FROM platform.component o, jsonb_array_elements(o.definition -> 'children') f
WHERE o.type = 'Object' AND f ->> 'type' = 'Field'
ON CONFLICT DO NOTHING;
