-- Addresses from which a user has signed in, as digests: wrong passwords from elsewhere do not shut out a client there.
CREATE TABLE platform.sign_in_address (
    user_id bigint NOT NULL REFERENCES platform.credential (user_id) ON DELETE CASCADE,
    address bytea NOT NULL,
    used_date timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, address)
);
-- A user's sessions, of which only so many live: those that were used last.
CREATE INDEX session_user_id ON platform.session (user_id, used_date);
