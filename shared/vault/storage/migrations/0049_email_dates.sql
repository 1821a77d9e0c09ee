-- When the e-mail of a notification was sent or given up; unknown of those before this migration.
ALTER TABLE platform.notification_recipient ADD COLUMN email_date timestamptz;
