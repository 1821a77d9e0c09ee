-- A component is returned as it was written, with its attributes in their order, which jsonb does not keep.
ALTER TABLE platform.component ALTER COLUMN definition TYPE json USING definition::json;
