-- By which fields of objects with many records people have ordered them: these fields have an index in that order
-- (shared/vault/configuration/order_indexes.py).
CREATE TABLE platform.ordered_field (
    object text NOT NULL,
    field text NOT NULL,
    descending boolean NOT NULL,
    used_date timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (object, field, descending)
);
