-- Relationships between documents. A version is null where the relationship is one of the document as a whole.
CREATE TABLE platform.document_relationship (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    relationship_type text NOT NULL,
    source_id bigint NOT NULL,
    source_version text,
    target_id bigint NOT NULL,
    target_version text,
    created_by bigint NOT NULL,
    created_date timestamptz NOT NULL,
    UNIQUE NULLS NOT DISTINCT (source_id, relationship_type, target_id, source_version, target_version)
);
CREATE INDEX document_relationship_target ON platform.document_relationship (target_id);
CREATE INDEX document_relationship_created_date ON platform.document_relationship (created_date);
