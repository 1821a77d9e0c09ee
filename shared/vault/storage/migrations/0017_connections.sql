-- Establishing connections: the Vault's own signing key, and the connection files that it has issued or taken.

CREATE TABLE platform.signing_key (
    id text PRIMARY KEY,
    private_key bytea NOT NULL,
    certificate text NOT NULL,
    created_date timestamptz NOT NULL DEFAULT now()
);

-- A file is known by the digest of its nonce and works once in each of the two Vaults.
CREATE TABLE platform.connection_file (
    nonce_hash bytea PRIMARY KEY,
    connection_id text NOT NULL,
    issued boolean NOT NULL,
    used boolean NOT NULL DEFAULT false,
    expires timestamptz NOT NULL,
    created_by bigint NOT NULL,
    created_date timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX connection_file_connection_id ON platform.connection_file (connection_id);

-- A session in which the Vault at the other end of a connection works here; it ends with what it was opened for.
ALTER TABLE platform.session
    ADD COLUMN connection_id text,
    ADD COLUMN read_only boolean NOT NULL DEFAULT false;
CREATE INDEX session_connection_id ON platform.session (connection_id) WHERE connection_id IS NOT NULL;

-- In a database from before connections had a lifecycle: a field with values could not leave its object.
DO $$
BEGIN
    IF EXISTS (SELECT FROM information_schema.columns WHERE table_schema = 'records'
               AND table_name = 'connection__sys' AND column_name = 'connection_state__sys') THEN
        UPDATE records.connection__sys SET connection_state__sys = NULL;
    END IF;
END
$$;
