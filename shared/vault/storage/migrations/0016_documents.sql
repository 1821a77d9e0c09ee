-- Documents: numbers of their own, and the files of their versions; the versions are a table made of the components.
CREATE SEQUENCE platform.document_id;
CREATE TABLE platform.document_file (
    version_id text NOT NULL,
    rendition text NOT NULL,  -- the rendition type; empty for the version's own file
    sha256 text NOT NULL REFERENCES platform.content,
    filename text NOT NULL,
    format text NOT NULL,
    PRIMARY KEY (version_id, rendition)
);
CREATE INDEX document_file_content ON platform.document_file (sha256);
