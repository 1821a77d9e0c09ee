-- The calls of users for 30 days, as their API usage logs have them: each row is many calls, compressed, since they are
-- written and read together only.
CREATE TABLE platform.api_usage_batch (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    day date NOT NULL,
    calls integer NOT NULL,
    content bytea NOT NULL
);
CREATE INDEX api_usage_batch_day ON platform.api_usage_batch (day) INCLUDE (calls);
