"""The ready-made rehearsals are of faults that there are, within the bounds of a switch."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from medcrm.rehearsals import REHEARSALS
from medcrm.rehearsing import Course, described
from shared.client.results import Row
from shared.vault.rehearsal.fault_switches import MAX_SWITCHES
from shared.vault.rehearsal.switch_request import SwitchRequest

NOW = datetime(2026, 1, 31, 10, tzinfo=UTC)


@pytest.mark.parametrize("name", REHEARSALS)
def test_a_vault_takes_its_switches(name: str) -> None:
    stages = REHEARSALS[name].stages
    assert stages
    for stage in stages:
        assert 0 < len(stage.switches) <= MAX_SWITCHES
        for fields in stage.switches:
            wanted = SwitchRequest.read(fields)
            target = wanted.target()
            assert wanted.switch("1", target, NOW, "admin")
            # Messages are told from calls by the queue that a switch names.
            assert ("queue" in fields) is (target.path is None)


@pytest.mark.parametrize(
    ("fields", "limit", "seconds"),
    [
        ({"fault": "slow_bytes", "seconds": "3"}, 0.5, "0.5"),
        ({"fault": "slow_bytes", "seconds": "3"}, 10, "3"),
        ({"fault": "slow_bytes", "seconds": "3"}, None, "3"),
        ({"fault": "cut_answer"}, 0.5, None),
    ],
)
def test_a_fault_lasts_no_longer_than_is_asked_for(
    fields: dict[str, str], limit: float | None, seconds: str | None
) -> None:
    sent = Course({"user": "a"}, 90, 1, limit).fields(fields)
    assert (sent.get("seconds"), sent["user"]) == (seconds, "a")
    assert sent["minutes"] == "6"


@pytest.mark.parametrize(
    ("switch", "line"),
    [
        (
            {"fault": "cut_answer", "calls": 5, "path": "/api/**", "struck": 2},
            "cut_answer: the next 5 calls /api/**; struck 2",
        ),
        (
            {
                "fault": "slow_bytes",
                "share": 30,
                "method": "GET",
                "path": "/api/**",
                "client_id": "nightly-load",
                "struck": 0,
            },
            "slow_bytes: 30 % of calls GET /api/**, client_id nightly-load; struck 0",
        ),
        (
            {"fault": "delivered_twice", "calls": 1, "queue": "*", "struck": 1},
            "delivered_twice: the next 1 messages of *; struck 1",
        ),
    ],
)
def test_a_switch_in_one_line(switch: Row, line: str) -> None:
    assert described(switch) == line
