-- What a package is beside its record: the file in the store, and what validation and deployment came to.
CREATE TABLE platform.package (
    record_id text PRIMARY KEY,
    file_key text NOT NULL,
    file_name text NOT NULL,
    size bigint NOT NULL,
    validation jsonb,
    deployment jsonb,
    created_date timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE platform.package_log (
    record_id text NOT NULL REFERENCES platform.package (record_id) ON DELETE CASCADE,
    name text NOT NULL,
    kind text NOT NULL,
    content text NOT NULL,
    created_date timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (record_id, name)
);

-- One row: whether the Vault is open to administrators only.
CREATE TABLE platform.configuration_mode (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    enabled boolean NOT NULL
);
INSERT INTO platform.configuration_mode (enabled) VALUES (false);
