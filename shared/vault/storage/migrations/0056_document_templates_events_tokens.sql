-- Files from which documents are created, by the document type (its levels, joined by dots) that these have.
CREATE TABLE platform.document_template (
    name text PRIMARY KEY,
    label text NOT NULL,
    active boolean NOT NULL,
    document_type text NOT NULL,
    sha256 text NOT NULL REFERENCES platform.content (sha256),
    filename text NOT NULL,
    format text NOT NULL,
    created_by bigint NOT NULL,
    created_date timestamptz NOT NULL
);
CREATE INDEX document_template_content ON platform.document_template (sha256);

-- What happened with versions of documents outside the Vault, as the systems say that distribute them.
CREATE TABLE platform.document_event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    document_id bigint NOT NULL,
    major_version integer NOT NULL,
    minor_version integer NOT NULL,
    event_type text NOT NULL,
    event_subtype text NOT NULL,
    classification text NOT NULL,
    external_id text,
    user_email text,
    triggered_by bigint NOT NULL,
    event_date timestamptz NOT NULL
);
CREATE INDEX document_event_document ON platform.document_event (document_id, id);

-- Tokens by which somebody without a user sees one version; of a token only its digest is stored.
CREATE TABLE platform.document_token (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest text NOT NULL UNIQUE,
    document_id bigint NOT NULL,
    version_id text NOT NULL,
    download_option text NOT NULL,
    channel text,
    token_group text,
    created_by bigint NOT NULL,
    created_date timestamptz NOT NULL,
    expires timestamptz NOT NULL
);
CREATE INDEX document_token_version ON platform.document_token (version_id);
CREATE INDEX document_token_group ON platform.document_token (token_group, id) WHERE token_group IS NOT NULL;
CREATE INDEX document_token_expires ON platform.document_token (expires);
