"""The queue log's columns: one table for SQL, JSON, CSV and pages."""

from __future__ import annotations

from datetime import UTC, datetime

from shared.vault.queues.log_columns import (
    COLUMNS,
    SHOWN,
    STORED,
    Delivery,
    EntryType,
    LogEntry,
    LoggedDelivery,
    insert_statement,
    insert_values,
    selected_columns,
)

QUEUED = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
SENT = datetime(2026, 1, 2, 12, 0, 5, tzinfo=UTC)
LOST = Delivery("m1", "a__c", QUEUED, SENT, 5, "inactive", "{}")


def test_an_entry_is_written_as_the_api_documents_it() -> None:
    values = {
        "timestamp": SENT,
        "vault_id": 7,
        "queue_name": "out__c",
        "connection_name": "a__c",
        "message_id": "m1",
        "entry_type": "REMOVAL",
        "queue_time": QUEUED,
        "send_time": SENT,
        "attempts": 5,
        "last_error": "inactive",
    }
    assert LogEntry(1, values).to_json() == values | {
        "timestamp": "2026-01-02T12:00:05.000Z",
        "queue_time": "2026-01-02T12:00:00.000Z",
        "send_time": "2026-01-02T12:00:05.000Z",
    }


def test_a_csv_file_has_the_documented_header() -> None:
    assert [column.title for column in COLUMNS] == [
        "TimeStamp",
        "VaultId",
        "QueueName",
        "ConnectionName",
        "MessageId",
        "EntryType",
        "QueueTime",
        "SendTime",
        "Attempts",
        "LastError",
    ]


def test_pages_show_the_type_next_to_the_time() -> None:
    assert [column.label for column in SHOWN] == [
        "Time",
        "Type",
        "Queue",
        "Connection",
        "Message",
        "Attempts",
        "Last error",
    ]


def test_an_entry_is_stored_as_it_was_reported() -> None:
    assert insert_statement() == (
        "INSERT INTO platform.queue_log (queue, connection, message_id, entry_type, queue_time, send_time,"
        " attempts, error) SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[],"
        " $5::timestamptz[], $6::timestamptz[], $7::integer[], $8::text[])"
    )
    logged = LoggedDelivery("out__c", EntryType.REMOVAL, LOST)
    assert insert_values([logged]) == [
        ["out__c"],
        ["a__c"],
        ["m1"],
        ["REMOVAL"],
        [QUEUED],
        [SENT],
        [5],
        ["inactive"],
    ]


def test_every_stored_column_is_read_by_its_name() -> None:
    assert selected_columns() == (
        "entry, logged AS timestamp, queue AS queue_name, connection AS connection_name, message_id AS message_id,"
        " entry_type AS entry_type, queue_time AS queue_time, send_time AS send_time, attempts AS attempts,"
        " error AS last_error"
    )
    assert len(STORED) == len(COLUMNS) - 1, "the Vault's id is not stored"
