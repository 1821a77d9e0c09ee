"""Plays a rehearsal in a Vault: its stages one after the other, and the checks of what is expected afterwards."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from medcrm.expectations import EXPECTATIONS, POLL_SECONDS, answer_within
from medcrm.fault_calls import switch_off, switch_on, switches
from medcrm.rehearsals import Rehearsal, Stage
from shared.client import VaultClient
from shared.client.results import Row

SECONDS_IN_MINUTE = 60
MARGIN_MINUTES = 5


@dataclass(frozen=True, slots=True)
class Course:
    """The options of playing a rehearsal.

    ``only`` are the fields ``user`` and ``client_id`` of the affected callers. A stage ends when its faults are used
    up, at the latest after ``stage_seconds``; expectations have to be met ``patience_seconds`` after the last stage. No
    fault takes longer than ``fault_seconds``, if set.
    """

    only: Mapping[str, str]
    stage_seconds: float
    patience_seconds: float
    fault_seconds: float | None = None

    def fields(self, fields: Mapping[str, str]) -> dict[str, str]:
        """Return the fields of a switch as they are sent."""
        minutes = int(self.stage_seconds // SECONDS_IN_MINUTE) + MARGIN_MINUTES
        # Messages are of no user or client.
        aimed = {} if "queue" in fields else self.only
        sent = {**fields, **aimed, "minutes": str(minutes)}
        if self.fault_seconds is not None and "seconds" in fields:
            seconds = min(self.fault_seconds, float(fields["seconds"]))
            sent["seconds"] = f"{seconds:g}"
        return sent


async def play(
    client: VaultClient,
    rehearsal: Rehearsal,
    course: Course,
    say: Callable[[str], None],
) -> bool:
    """Play a rehearsal, ``say`` its events, and return whether all expectations are met in the end."""
    say(rehearsal.title)
    for number, stage in enumerate(rehearsal.stages, 1):
        say(f"{number}. {stage.title}")
        for switch in await _play_stage(client, stage, course):
            say(f"   {described(switch)}")
    say("The faults are over. What holds:")
    all_met = True
    for expectation in EXPECTATIONS:
        answer = await answer_within(client, expectation, course.patience_seconds)
        holds = answer.unmet is None
        all_met = all_met and holds
        outcome = "holds" if holds else f"DOES NOT HOLD: {answer.unmet}"
        say(f"   {expectation.title}: {outcome}")
        for line in answer.lines:
            say(f"      {line}")
    return all_met


async def _play_stage(client: VaultClient, stage: Stage, course: Course) -> list[Row]:
    """Switch on the faults of a stage, end them after its time, and return their switches as they were at the end."""
    ids: list[str] = []
    ended: list[Row] = []
    try:
        for fields in stage.switches:
            switch = await switch_on(client, course.fields(fields))
            ids.append(str(switch.get("id")))
        await _until_used_up(client, ids, course.stage_seconds)
    finally:
        # Also when the console is interrupted: a Vault must not stay struck.
        for switch_id in ids:
            ended += await switch_off(client, switch_id)
    return ended


async def _until_used_up(
    client: VaultClient, ids: Collection[str], seconds: float
) -> None:
    """Wait until switches are used up, for at most ``seconds``."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        own = [each for each in await switches(client) if each.get("id") in ids]
        if all(each.get("used_up") for each in own):
            return
        await asyncio.sleep(POLL_SECONDS)


def described(switch: Row) -> str:
    """Return a switch in one line: the fault, the calls it applies to, and how often it was applied."""
    amount = f"{switch['share']} % of" if "share" in switch else "the next"
    if "calls" in switch:
        amount += f" {switch['calls']}"
    parts = ["messages of", switch.get("queue")]
    if "path" in switch:
        parts = ["calls", switch.get("method"), switch["path"]]
    what = " ".join(str(part) for part in parts if part)
    for name in ("user", "client_id"):
        if name in switch:
            what += f", {name} {switch[name]}"
    return f"{switch['fault']}: {amount} {what}; struck {switch['struck']}"
