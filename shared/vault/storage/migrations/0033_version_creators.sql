-- Who made each version of a document: the audit trail says it of drafts, and which draft became a steady version; the
-- first version is its document's.
DO $$
BEGIN
    -- A Vault without document types has no such table yet; it is made with the column.
    IF to_regclass('records.document_version__sys') IS NULL THEN
        RETURN;
    END IF;
    ALTER TABLE records.document_version__sys ADD COLUMN IF NOT EXISTS version_created_by__v bigint;
    WITH made AS (
        SELECT record_id, old_value, new_value, user_id FROM platform.audit_entry
        WHERE trail = 'document' AND action = 'Edit' AND field = 'version'
    ),
    version AS (
        SELECT id, created_by__v, document_id__sys::text AS document, minor_version_number__v = 0 AS steady,
            concat(major_version_number__v, '.', minor_version_number__v) AS number
        FROM records.document_version__sys
    )
    UPDATE records.document_version__sys v SET version_created_by__v = coalesce(
        CASE WHEN version.steady THEN (
            SELECT draft.user_id FROM made steady
            JOIN made draft ON draft.record_id = steady.record_id AND draft.new_value = steady.old_value
            WHERE steady.record_id = version.document AND steady.new_value = version.number LIMIT 1)
        ELSE (
            SELECT draft.user_id FROM made draft
            WHERE draft.record_id = version.document AND draft.new_value = version.number LIMIT 1)
        END,
        version.created_by__v)
    FROM version WHERE version.id = v.id;
END
$$;
