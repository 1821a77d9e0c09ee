-- Content files that components refer to by name.
CREATE TABLE platform.component_file (
    name text PRIMARY KEY,
    original_name text NOT NULL,
    format text NOT NULL,
    sha1_checksum text NOT NULL,
    content bytea NOT NULL,
    created_by bigint NOT NULL,
    created_date timestamptz NOT NULL DEFAULT now()
);
