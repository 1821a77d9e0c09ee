-- What users are told about records: written in the transaction of the records, e-mail sent from here afterwards.
CREATE TABLE platform.notification (
    id bigint GENERATED ALWAYS AS IDENTITY (START WITH 1001) PRIMARY KEY,
    object text NOT NULL,
    record_id text NOT NULL,
    subject text NOT NULL,
    body text NOT NULL,
    created_date timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX notification_created_date ON platform.notification (created_date);

CREATE TABLE platform.notification_recipient (
    notification_id bigint NOT NULL REFERENCES platform.notification (id) ON DELETE CASCADE,
    user_id bigint NOT NULL REFERENCES platform.credential (user_id) ON DELETE CASCADE,
    read_date timestamptz,
    -- of the e-mail: queued, sent or failed; none when none is to be sent
    email text CHECK (email IN ('queued', 'sent', 'failed')),
    PRIMARY KEY (notification_id, user_id)
);
CREATE INDEX notification_recipient_user ON platform.notification_recipient (user_id, notification_id);
