-- Documents that are checked out, by whom and since when.
CREATE TABLE platform.document_lock (
    document_id bigint PRIMARY KEY,
    locked_by bigint NOT NULL REFERENCES platform.credential (user_id) ON DELETE CASCADE,
    locked_date timestamptz NOT NULL
);
