-- Files attached to records: an attachment is a file name of a record, its versions are the files it has had.
CREATE SEQUENCE platform.attachment_id AS integer;
CREATE TABLE platform.attachment (
    id integer PRIMARY KEY,
    object text NOT NULL,
    record_id text NOT NULL,
    filename text NOT NULL,
    external_id text,
    last_version integer NOT NULL,  -- the highest number ever given: those of deleted versions do not come again
    UNIQUE (record_id, object, filename),
    UNIQUE (object, external_id)
);
CREATE TABLE platform.attachment_version (
    attachment_id integer NOT NULL REFERENCES platform.attachment (id) ON DELETE CASCADE,
    version integer NOT NULL,
    description text,
    sha256 text NOT NULL REFERENCES platform.content (sha256),
    created_by bigint NOT NULL,
    created_date timestamptz NOT NULL,
    PRIMARY KEY (attachment_id, version)
);
CREATE INDEX attachment_version_content ON platform.attachment_version (sha256);

-- Deleted attachments are listed as deleted records are; without a version, all of them went.
ALTER TABLE platform.deletion
    ADD COLUMN attachment_id integer, ADD COLUMN version integer, ADD COLUMN external_id text;
