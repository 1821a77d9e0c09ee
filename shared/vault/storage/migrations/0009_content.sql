-- Bytes of files, once each: a table with files has a column that references this one, with an index on it.
CREATE TABLE platform.content (
    sha256 text PRIMARY KEY,
    size bigint NOT NULL,
    md5 text NOT NULL,
    stored_as text NOT NULL UNIQUE,  -- the store's key of the one copy that counts
    last_stored timestamptz NOT NULL DEFAULT now()
);
