-- Runs of integrations: jobs whose work connectors do, and what they have told of it.
CREATE TABLE platform.integration_run (
    job_id integer PRIMARY KEY REFERENCES platform.job (job_id) ON DELETE CASCADE,
    -- Last Successful Run Time as the run found it, and the moment since which changes are read
    found_time timestamptz,
    changed_since timestamptz NOT NULL,
    -- the source's clock before anything was read: the next Last Successful Run Time
    source_time timestamptz,
    stage integer NOT NULL DEFAULT 0,
    -- where the next batch begins, in the words of whoever reads
    position text NOT NULL DEFAULT '',
    batches integer NOT NULL DEFAULT 0,
    paged boolean NOT NULL DEFAULT false,
    more_stages boolean NOT NULL DEFAULT false,
    error text,
    progress_date timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE platform.integration_run_batch (
    job_id integer NOT NULL REFERENCES platform.integration_run (job_id) ON DELETE CASCADE,
    batch integer NOT NULL,
    integration_point text NOT NULL,
    read integer NOT NULL,
    mapped integer NOT NULL,
    skipped integer NOT NULL,
    written integer NOT NULL,
    failed integer NOT NULL,
    PRIMARY KEY (job_id, batch)
);
CREATE INDEX job_of_integration ON platform.job ((parameters ->> 'integration'), job_id)
    WHERE job_type = 'integration_run';
