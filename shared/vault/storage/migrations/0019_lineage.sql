-- Where the values of transferred records come from, written in the transaction of the write: names, ids and times, no
-- values. An origin is what many writes have in common; its id is the digest of the rest of its row, so that it is
-- known without being looked up.
CREATE TABLE platform.lineage_origin (
    id uuid PRIMARY KEY,
    source_vault_id bigint NOT NULL,
    source_object text,
    integration text NOT NULL,
    integration_point text NOT NULL,
    rule text,
    ruled text[] NOT NULL,  -- the fields that the rule has set
    own text[] NOT NULL     -- those that the integration point has set itself
);

-- No foreign key to the origin: its check would have all writes lock the same few rows.
CREATE TABLE platform.lineage (
    id bigint GENERATED ALWAYS AS IDENTITY,
    object text NOT NULL,
    record_id text NOT NULL,
    origin uuid NOT NULL,
    message_id text NOT NULL,
    run integer,            -- the job, of a record that a run has found
    source_record text,
    told timestamptz NOT NULL,  -- by the clock of the connector
    written timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now()),
    audited bigint,         -- the latest audit entry then: what is after it is of a later change
    PRIMARY KEY (record_id, id)
);
CREATE INDEX lineage_message ON platform.lineage (message_id, id);
CREATE INDEX lineage_written ON platform.lineage USING brin (written);
