-- Response packages: what recipients without an account are shown under a link, of which only the digest is here.
CREATE TABLE platform.response_package (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Of the Case Response.
    response_id text NOT NULL,
    token_digest bytea NOT NULL UNIQUE,
    title text NOT NULL,
    cover_letter text NOT NULL,
    made_by bigint NOT NULL,
    made_date timestamptz NOT NULL DEFAULT now(),
    expires_date timestamptz NOT NULL,
    revoked_date timestamptz,
    openings bigint NOT NULL DEFAULT 0,
    opened_date timestamptz
);
CREATE INDEX response_package_response ON platform.response_package (response_id);
CREATE INDEX response_package_expires ON platform.response_package (expires_date);
-- The files as they were when the package was made, in their order.
CREATE TABLE platform.response_package_file (
    package_id bigint NOT NULL REFERENCES platform.response_package (id) ON DELETE CASCADE,
    position integer NOT NULL,
    document_id bigint NOT NULL,
    version_id text NOT NULL,
    name text NOT NULL,
    filename text NOT NULL,
    format text NOT NULL,
    sha256 text NOT NULL REFERENCES platform.content (sha256),
    PRIMARY KEY (package_id, position)
);
CREATE INDEX response_package_file_content ON platform.response_package_file (sha256);
