"""The steps of a message from a Vault's answers, and names that are safe in a query."""

from __future__ import annotations

import pytest

from medcrm.configuration import ConfigurationFault
from medcrm.files import csv_rows
from medcrm.lookups_cli import COLUMNS, to_fill_in
from medcrm.preview_cli import MAX_CELL, cell, record_lines
from medcrm.tracing import (
    event_table,
    exceptions,
    field_table,
    log_entries,
    quoted,
    writes,
)
from shared.client.results import Row

MESSAGE = "0b0f1d4c-3f2a"


def test_events_of_every_kind_stand_in_the_order_of_time() -> None:
    written: Row = {
        "date": "2026-01-31T10:00:03.000Z",
        "message_id": MESSAGE,
        "object_name": "case_request__v",
        "record_id": "V5R1",
        "integration_point": "point__v",
    }
    failed: Row = {
        "id": "V4E1",
        "created_date__v": "2026-01-31T10:00:02.000Z",
        "message_id__sys": MESSAGE,
        "error_status__sys": ["open__sys"],
        "error_message__sys": "why",
    }
    entry: Row = {
        "timestamp": "2026-01-31T10:00:01.000Z",
        "message_id": MESSAGE,
        "queue_name": "out__v",
        "connection_name": "medical_crm__v",
        "entry_type": "TRACE",
        "attempts": 1,
    }
    removed = entry | {"entry_type": "REMOVAL", "last_error": "inactive"}
    log = [entry, entry | {"message_id": "another"}, removed]
    found = [
        *writes("1", [written]),
        *exceptions("1", [failed]),
        *log_entries("2", log, {MESSAGE}),
    ]
    shown = [(event.what, event.detail) for event in sorted(found)]
    assert shown == [
        ("removal", "out__v over medical_crm__v, attempt 1: inactive"),
        ("trace", "out__v over medical_crm__v, attempt 1"),
        ("exception", "V4E1 open: why"),
        ("written", "case_request__v V5R1 point__v"),
    ]
    assert len(event_table(found)) == 1 + len(found)
    assert event_table([]) == ["These Vaults have no event of the message"]


def test_lineage_says_what_changed_since() -> None:
    field: Row = {"field_name": "a__v", "integration_rule": None, "message_id": MESSAGE}
    since = {"date": "2026-02-01T08:00:00.000Z", "user_id": "4"}
    lines = field_table([field, field | {"changed_since": since}])
    assert [line.endswith(since["date"]) for line in lines] == [False, False, True]


@pytest.mark.parametrize("name", ["V4E000000000101", "a-b_c.d:1"])
def test_an_id_stands_in_a_query(name: str) -> None:
    assert quoted(name) == name


@pytest.mark.parametrize("name", ["", "x' OR id != '", "a b", "a\\", "%"])
def test_what_is_no_id_stands_in_no_query(name: str) -> None:
    with pytest.raises(ConfigurationFault):
        quoted(name)


@pytest.mark.parametrize("key", ["fax__v", "=1+1", "'=1", "@x", "a,b", 'q"', "\nx"])
def test_missing_lookups_are_read_again_as_they_were(key: str) -> None:
    sheet = to_fill_in("medical_crm__v", [{"source_key__sys": key, "count": 3}])
    (row,) = csv_rows(sheet)
    assert tuple(row) == COLUMNS
    assert (row[COLUMNS[0]], row["source_key__sys"]) == ("medical_crm__v", key)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        ("a\n b", "a b"),
        ([1, None], "[1,null]"),
        (False, "false"),
        ("x" * 99, "x" * (MAX_CELL - 1) + "…"),
    ],
)
def test_a_value_is_shown_on_one_line(value: object, shown: str) -> None:
    assert cell(value) == shown


def test_a_preview_shows_error_fields_and_writes() -> None:
    record: Row = {
        "id": "V4T1",
        "result": "failed",
        "error": {"type": "reference_error__sys", "message": "no product"},
        "warning": None,
        "rules": [{"rule": "r__v", "fields": [{"field_rule": "f__c"}]}],
        "writes": [
            {"event": "created", "object": "o__v", "id": None, "changes": {"a__v": {}}}
        ],
    }
    lines = record_lines(record)
    assert lines[:2] == ["V4T1  failed", "  error: reference_error__sys: no product"]
    assert lines[3] == "rule r__v"
    assert lines[-1].split() == ["created", "o__v", "a__v"]
