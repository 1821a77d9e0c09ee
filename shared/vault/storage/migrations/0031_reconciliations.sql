-- Comparisons of both Vaults through the rules: jobs whose work connectors do, slice by slice.
CREATE TABLE platform.reconciliation (
    job_id integer PRIMARY KEY REFERENCES platform.job (job_id) ON DELETE CASCADE,
    -- the source's clock before anything was compared
    source_time timestamptz,
    phase text NOT NULL DEFAULT 'compare',
    -- the slices that were reported, and where the next one begins, in the words of whoever compares
    slice integer NOT NULL DEFAULT 0,
    position text NOT NULL DEFAULT '',
    error text,
    -- the counts when it has ended; its items are records then
    result jsonb,
    progress_date timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE platform.reconciliation_count (
    job_id integer NOT NULL REFERENCES platform.reconciliation (job_id) ON DELETE CASCADE,
    integration_point text NOT NULL,
    equal integer NOT NULL,
    PRIMARY KEY (job_id, integration_point)
);

-- What was not as it should be at the first look, by source record; names and ids, no values.
CREATE TABLE platform.reconciliation_item (
    job_id integer NOT NULL REFERENCES platform.reconciliation (job_id) ON DELETE CASCADE,
    integration_point text NOT NULL,
    object text NOT NULL,
    item text NOT NULL,
    verdict text NOT NULL,
    details text[] NOT NULL,
    looked boolean NOT NULL DEFAULT false,
    PRIMARY KEY (job_id, integration_point, object, item)
);
CREATE INDEX reconciliation_item_to_look_at ON platform.reconciliation_item (job_id, integration_point, object, item)
    WHERE NOT looked;
