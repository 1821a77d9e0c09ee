-- What this Vault was given of its standard configuration, item by item: components as MDL, records as their rows.
-- An item that a newer version would change, and somebody here has changed too, is withheld.
CREATE TABLE platform.standard_item (
    kind text NOT NULL,  -- component type, or object
    name text NOT NULL,  -- of the component, or the record's key
    given text,
    withheld text,
    reason text,
    withheld_date timestamptz,
    PRIMARY KEY (kind, name)
);
