-- Forms that create something, by the id that each rendering of them has: one that is sent twice creates it once.
CREATE TABLE platform.sent_form (
    form_id uuid PRIMARY KEY,
    user_id bigint NOT NULL,
    sent_date timestamptz NOT NULL DEFAULT now(),
    -- Where its sender was led in the end; null while it is being carried out.
    outcome text
);
CREATE INDEX sent_form_sent_date ON platform.sent_form (sent_date);
