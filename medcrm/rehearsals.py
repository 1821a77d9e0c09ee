"""Lists the ready-made rehearsals: the faults for a Vault's clients, stage by stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Fields = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Stage:
    """Faults that are on together; each of ``switches`` has the fields of the call that switches it on."""

    title: str
    switches: tuple[Fields, ...]


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A sequence of stages; the expectations after them are the same for all rehearsals."""

    name: str
    title: str
    stages: tuple[Stage, ...]


def _switch(fault: str, **fields: str) -> Fields:
    return {"fault": fault, **fields}


_LISTED = (
    Rehearsal(
        "maintenance-night",
        "A night of maintenance: the Vault goes down, comes back, and has forgotten who was signed in",
        (
            Stage(
                "The servers in front of the Vault say that it is away",
                (
                    _switch("status_503_html", calls="15"),
                    _switch("status_502_html", calls="10"),
                ),
            ),
            Stage(
                "Calls that were under way end in nothing",
                (
                    _switch("cut_answer", calls="5"),
                    _switch("timeout_before_effect", calls="2", seconds="5"),
                    _switch("timeout_after_effect", calls="2", seconds="5"),
                ),
            ),
            Stage(
                "The Vault is back, and every session is over",
                (_switch("invalid_session", calls="10"),),
            ),
            Stage(
                "Messages that have waited come late, and some of them twice",
                (
                    _switch("delivery_delayed", queue="*", calls="5", seconds="10"),
                    _switch("delivered_twice", queue="*", calls="10"),
                ),
            ),
        ),
    ),
    Rehearsal(
        "month-end-limits",
        "Limits reached at month's end: calls are delayed, then refused",
        (
            Stage(
                "Every other call is above the burst limit",
                (_switch("burst_delay", share="50", seconds="1"),),
            ),
            Stage(
                "The limit of calls is exceeded",
                (_switch("api_limit_exceeded", calls="15"),),
            ),
            Stage(
                "A server in front of the Vault asks to come again later",
                (_switch("too_many_requests", calls="15", seconds="2"),),
            ),
        ),
    ),
    Rehearsal(
        "forgotten-sessions",
        "The CRM forgets all sessions, again and again",
        (
            Stage(
                "Every session is over",
                (_switch("invalid_session", calls="20"),),
            ),
            Stage(
                "Sessions end while the sign-in is away",
                (
                    _switch("invalid_session", share="20"),
                    _switch("status_503_json", calls="3", path="/api/*/auth"),
                ),
            ),
        ),
    ),
    Rehearsal(
        "slow-afternoon",
        "A slow afternoon: answers come in drops, in small pages, or after the client has given up",
        (
            Stage(
                "Every third answer is slow",
                (_switch("slow_bytes", share="33", seconds="3"),),
            ),
            Stage(
                "Pages are small",
                (_switch("fewer_rows", share="100"),),
            ),
            Stage(
                "Some answers never come, though the calls are carried out",
                (_switch("timeout_after_effect", calls="2", seconds="40"),),
            ),
        ),
    ),
    Rehearsal(
        "everything-twice",
        "Everything twice: messages are delivered twice and out of order, and calls repeated whose answer was lost",
        (
            # A message is struck by one fault only: in one stage the first would leave nothing to the second.
            Stage(
                "Every message comes twice",
                (_switch("delivered_twice", queue="*", share="100"),),
            ),
            Stage(
                "Every other message is overtaken by the one behind it",
                (_switch("out_of_order", queue="*", share="50", seconds="10"),),
            ),
            Stage(
                "Calls are carried out, and their answers are lost",
                (_switch("cut_answer", share="20"),),
            ),
        ),
    ),
)

REHEARSALS: Mapping[str, Rehearsal] = {each.name: each for each in _LISTED}
"""The rehearsals by name."""
