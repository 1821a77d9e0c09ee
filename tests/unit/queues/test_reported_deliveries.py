"""Reported deliveries: required values of a row, and refusals."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shared.vault.errors import VaultFault
from shared.vault.queues.log_columns import Delivery

ROW: dict[str, object] = {
    "message_id": "m1",
    "connection_name": "a__c",
    "queue_time": "2026-01-02T12:00:00.000Z",
    "send_time": "2026-01-02T12:00:05",
    "attempts": 1,
}


def test_a_delivered_message() -> None:
    read = Delivery.read(ROW)
    assert read == Delivery(
        "m1",
        "a__c",
        datetime(2026, 1, 2, 12, tzinfo=UTC),
        datetime(2026, 1, 2, 12, 0, 5, tzinfo=UTC),
        1,
    )
    assert not read.removed


def test_a_removed_message_brings_its_body() -> None:
    read = Delivery.read(ROW | {"error": "inactive", "message": "{}"})
    assert (read.removed, read.error, read.body) == (True, "inactive", "{}")


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("message_id", ""),
        ("message_id", None),
        ("message_id", "a\x00b"),
        ("message_id", "x" * 256),
        ("connection_name", 7),
        ("queue_time", "yesterday"),
        ("send_time", None),
        ("attempts", 0),
        ("attempts", True),
        ("attempts", "1"),
        ("attempts", 10_001),
        ("error", "x" * 1501),
        ("error", "removed, but without its message"),
    ],
)
def test_a_row_that_is_refused(member: str, value: object) -> None:
    with pytest.raises(VaultFault):
        Delivery.read(ROW | {member: value})
