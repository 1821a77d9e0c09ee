-- Records that are gone, for those who keep copies of them; kept for 30 days.
CREATE TABLE platform.deletion (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    object text NOT NULL,
    record_id text NOT NULL,
    date_deleted timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX deletion_object ON platform.deletion (object, date_deleted, position);
CREATE INDEX deletion_date ON platform.deletion (date_deleted);
