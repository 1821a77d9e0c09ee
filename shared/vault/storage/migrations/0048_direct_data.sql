-- Direct Data: the files that were made, whose parts are in the file store, and until where the incremental ones have read.
CREATE TABLE platform.direct_data_file (
    name text PRIMARY KEY,
    extract_type text NOT NULL CHECK (extract_type IN ('full_directdata', 'incremental_directdata', 'log_directdata')),
    start_time timestamptz NOT NULL,
    stop_time timestamptz NOT NULL,
    record_count bigint NOT NULL,
    folder text NOT NULL,  -- of the parts in the store
    parts jsonb NOT NULL,  -- [{"size": bytes, "md5": hex}], in their order
    created_date timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX direct_data_file_created_date ON platform.direct_data_file (created_date);

CREATE TABLE platform.direct_data_chain (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    stop_time timestamptz NOT NULL,   -- the next incremental file starts here
    data_until timestamptz NOT NULL,  -- and has what changed from here on
    digests jsonb NOT NULL            -- of the configuration then: {extract: {key of a row: digest}}
);
