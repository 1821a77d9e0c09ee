"""Switches end by themselves, apply to their targets only, and are bounded in number."""

from __future__ import annotations

import pytest

from shared.vault.rehearsal.fault_switches import MAX_SWITCHES
from tests.unit.rehearsal.switching import Rehearsed


def test_a_switch_ends_by_itself() -> None:
    rehearsed = Rehearsed()
    switch = rehearsed.on("cut_answer", share="100", minutes="30")
    rehearsed.later(minutes=29, seconds=59)
    assert rehearsed.switches.on() == [switch]
    rehearsed.later(seconds=1)
    assert rehearsed.switches.known() == []
    assert not rehearsed.switches.known_by_id


@pytest.mark.parametrize("share", [1, 30, 50, 100])
def test_a_share_of_a_hundred_is_so_many(share: int) -> None:
    switch = Rehearsed().on("cut_answer", share=str(share))
    assert sum(switch.strikes() for _ in range(100)) == share


def test_the_next_calls_and_no_more() -> None:
    rehearsed = Rehearsed()
    switch = rehearsed.on("cut_answer", calls="2")
    assert [switch.strikes() for _ in range(4)] == [True, True, False, False]
    assert rehearsed.switches.on() == []
    assert rehearsed.switches.known() == [switch]


def test_what_is_used_up_makes_room() -> None:
    rehearsed = Rehearsed()
    first = rehearsed.on("cut_answer", calls="1")
    for _ in range(MAX_SWITCHES - 1):
        rehearsed.on("slow_bytes", calls="1")
    assert not rehearsed.switches.add(first)
    assert first.strikes()
    last = rehearsed.on("slow_bytes", calls="1")
    known = rehearsed.switches.known()
    assert first not in known
    assert last in known


STRUCK = [
    # path of the switch, path of the call, struck
    ("/**", "/api/v25.1/query", True),
    ("/**", "/ui/", True),
    ("/**", "/healthz", False),
    ("/healthz", "/healthz", True),
    ("/api/**", "/api/v25.1/auth", False),
    ("/api/*/auth", "/api/v25.1/auth", True),
    ("/**", "/api/v25.1/services/rehearsal/switches", False),
    (
        "/api/v25.1/services/rehearsal/switches",
        "/api/v25.1/services/rehearsal/switches",
        False,
    ),
    ("/ui/rehearsal", "/ui/rehearsal", False),
    ("/ui/sign-in", "/ui/sign-in", False),
    ("/metrics", "/metrics", False),
]


@pytest.mark.parametrize(("pattern", "path", "struck"), STRUCK)
def test_how_it_is_ended_is_never_struck(pattern: str, path: str, struck: bool) -> None:
    rehearsed = Rehearsed()
    rehearsed.on("cut_answer", share="100", path=pattern)
    assert bool(list(rehearsed.switches.for_call("GET", path, "any"))) is struck
