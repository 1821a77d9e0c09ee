"""The console's display of Vaults' answers: each kind of answer, and the parts that need attention."""

from __future__ import annotations

import pytest

from medcrm.retrying import all_resolved, causes
from medcrm.runs_cli import table as runs_table
from medcrm.status import connection_parts, queue_part, table, to_json
from medcrm.status_cli import readiness_table
from medcrm.tables import aligned
from shared.client.results import Row

PLACE = "https://vault.example.com"
NAME = "medical_crm__v"
CONNECTION = {
    "api_name__sys": NAME,
    "state__v": ["active_state__sys"],
    "status__v": ["active__v"],
}
INTEGRATION = {
    "integration_api_name__sys": "country__v",
    "status__v": ["active__v"],
    "connection__sysr.api_name__sys": NAME,
}
QUEUE = {
    "name": "out__v",
    "status": "active",
    "delivery": "enabled",
    "messages_in_queue": 0,
    "connections": [{"name": NAME, "last_message_delivered": "ok"}],
}


@pytest.mark.parametrize(
    ("connection", "integration", "state", "detail"),
    [
        ({}, {}, "active", ""),
        (
            {"state__v": ["pending_state__sys"]},
            {},
            "pending",
            "establish and activate it",
        ),
        (
            {"state__v": ["inactive_state__sys"]},
            {},
            "inactive",
            "establish and activate it",
        ),
        ({"status__v": ["inactive__v"]}, {}, "inactive", "its status is inactive"),
        (
            {},
            {"status__v": ["inactive__v"]},
            "active",
            "none of its integrations is active",
        ),
        ({}, {"connection__sysr.api_name__sys": "other__c"}, "active", ""),
    ],
)
def test_a_connection_is_wrong_unless_it_is_active_with_an_integration(
    connection: Row, integration: Row, state: str, detail: str
) -> None:
    first, *_ = connection_parts(
        PLACE, CONNECTION | connection, [INTEGRATION | integration]
    )
    assert (first.state, first.detail, first.wrong) == (state, detail, bool(detail))


@pytest.mark.parametrize(
    ("queue", "state", "detail", "wrong"),
    [
        ({}, "0 waiting", "", False),
        (
            {"messages_in_queue": 3, "waiting_since": "2026-01-31T10:32:01.000Z"},
            "3 waiting",
            "the oldest since 2026-01-31T10:32:01.000Z",
            False,
        ),
        ({"status": "inactive"}, "0 waiting", "it is inactive", True),
        ({"delivery": "disabled"}, "0 waiting", "its delivery is disabled", True),
        (
            {"connections": [{"name": NAME, "last_message_delivered": "failed"}]},
            "0 waiting",
            f"the last message over {NAME}: failed",
            True,
        ),
        ({"connections": [{"name": NAME}]}, "0 waiting", "", False),
    ],
)
def test_a_queue_is_wrong_when_it_does_not_deliver(
    queue: Row, state: str, detail: str, wrong: bool
) -> None:
    part = queue_part(PLACE, QUEUE | queue)
    assert (part.state, part.detail, part.wrong) == (state, detail, wrong)
    assert to_json([part])["ok"] is not wrong
    assert table([part])[-1].startswith("!") is wrong


def test_readiness_marks_what_prevents_transfers() -> None:
    finding = {"step": "queues", "vault_id": 1, "name": "q", "message": "m"}
    findings = [
        {**finding, "prevents_transfer": prevents} for prevents in (True, False)
    ]
    lines = readiness_table({"ready": False, "findings": findings})
    assert [line[:1] for line in lines] == ["N", " ", "!", " "]
    assert readiness_table({"ready": True, "findings": []}) == ["Ready"]


def item(error_type: str, rule: str, said: str = "text") -> Row:
    return {
        "error_type__sys": [error_type],
        "integration_rule__sys": rule,
        "error_message__sys": said,
    }


def message(name: str, *items: Row, integration: str = "a__v") -> Row:
    return {
        "id": name,
        "error_type__sys": ["delivery__sys"],
        "error_message__sys": "whole",
        "integration__sysr.integration_api_name__sys": integration,
        "exception_items__sysr": {"data": list(items)} if items else None,
    }


def test_exceptions_of_one_cause_stand_together_the_most_first() -> None:
    messages = [
        message("M1", item("save__sys", "r1")),
        message("M2", item("match__sys", "r2"), item("match__sys", "r2")),
        message("M3", item("match__sys", "r2"), integration="b__v"),
        message("M4"),
    ]
    found = [
        (cause.error_type, cause.items, list(cause.messages))
        for cause in causes(messages)
    ]
    assert found == [
        ("match__sys", 3, ["M2", "M3"]),
        ("save__sys", 1, ["M1"]),
        ("delivery__sys", 1, ["M4"]),
    ]
    (only,) = causes(messages, "b__v")
    assert list(only.messages) == ["M3"]


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"messages": 0, "refused": 0}, True),
        ({"messages": 2, "refused": 0, "resolved": 2}, True),
        ({"messages": 2, "refused": 1, "resolved": 2}, False),
        ({"messages": 2, "refused": 0, "resolved": 1, "open": 1}, False),
        ({"messages": 1, "refused": 0, "retrying": 1}, False),
    ],
)
def test_a_retry_of_all_is_well_when_all_are_resolved(
    counts: Row, expected: bool
) -> None:
    assert all_resolved({"job_id": 7, **counts}) is expected


def test_columns_of_numbers_stand_at_the_right() -> None:
    rows = [["name", "count"], ["a", "7"], ["bbbbbb", "1000"]]
    assert aligned(rows) == ["name    count", "a           7", "bbbbbb   1000"]


def test_a_run_that_has_counted_nothing_has_noughts() -> None:
    (heading, line) = runs_table([{"job_id": 12, "status": "QUEUED", "counts": {}}])
    assert heading.split()[:2] == ["job", "status"]
    assert line.split() == ["12", "QUEUED", *"000000"]
