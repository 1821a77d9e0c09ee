"""Supervision after ``make start``: a part that ends or hangs is restarted, and ``make stop`` ends all."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from local.failure import SystemFailed
from local.polling import answers_within
from local.supervision import SILENT_PROBES, Watch
from local.system import System
from shared.runtime.retry_policies import SUPERVISION
from tests.system import module_system

running = module_system.running
STARTS = 240.0  # seconds


async def supervised(running: System) -> None:
    """Start the system, which another test may have stopped, and its supervisor."""

    async def reason() -> str | None:
        # The supervisor of another test may be restarting a part.
        try:
            await running.start()
        except SystemFailed as error:
            return str(error)
        return None

    assert await answers_within(STARTS, reason) is None
    running.supervise()


@pytest.mark.parametrize(
    ("part", "number"),
    [
        ("connector", signal.SIGKILL),
        ("crm_vault", signal.SIGSTOP),
        ("rabbitmq", signal.SIGKILL),
        ("postgres", signal.SIGSTOP),
    ],
)
async def test_a_part_that_ends_or_hangs_is_started_again(
    running: System, part: str, number: signal.Signals
) -> None:
    await supervised(running)
    before = running.process_ids()[part]
    os.kill(before, number)

    async def another_one_is_up() -> str | None:
        current = System(running.directory)
        states = {each.name: each.up for each in await current.status()}
        if current.process_ids().get(part) in (None, before):
            return f"{part} is not started again: {states}"
        return None if all(states.values()) else str(states)

    assert await answers_within(STARTS, another_one_is_up) is None


async def test_the_end_of_the_system_ends_its_supervisor(running: System) -> None:
    await supervised(running)
    ids = System(running.directory).process_ids()
    assert "supervisor" in ids
    await running.stop()
    assert [name for name, pid in ids.items() if lives(pid)] == []


def lives(pid: int) -> bool:
    """Whether a process runs; one that ended and was not waited for has no command line."""
    file = Path(f"/proc/{pid}/cmdline")
    return file.exists() and bool(file.read_bytes())


def test_one_that_is_busy_for_a_moment_is_left() -> None:
    watch = Watch()
    silent = [watch.due(100.0, running=True, answers=False) for _ in range(3)]
    assert silent == [False] * (SILENT_PROBES - 1) + [True]
    assert not watch.due(100.0, running=True, answers=True)
    assert watch.silent == 0


def test_one_that_ends_again_and_again_is_started_after_growing_pauses() -> None:
    watch = Watch()
    now = 1000.0
    waits = []
    for _ in range(10):
        while not watch.due(now, running=False, answers=True):
            now += 0.5
        watch.started(now)
        waits.append(watch.not_before - now)
    assert waits[0] < waits[2] < waits[4]
    assert waits[-1] == pytest.approx(SUPERVISION.longest_pause, rel=0.3)
