"""Measures how the work of a reader grows with its text, in processor time of the thread that reads."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# Twice the text may take three times the work: a quadratic reader takes four times, a linear one twice.
MAX_GROWTH = 3.0
REPEATS = 3
TRIES = 3
# Seconds. What takes less than the first is the clock's noise, what takes more than the second is measured once.
NOISE = 0.004
DISTINCT = 0.1
# No text of these tests may take so many seconds.
TOO_LONG = 2.0

Run = Callable[[], object]


class NotLinear(AssertionError):
    """Raised for a reader whose work grows faster than its text; the message has the seconds for each length."""


def seconds(run: Run, repeats: int = 1) -> float:
    """Return the least processor time of several runs, in seconds."""
    with _without_collector():
        return min(_once(run) for _ in range(repeats))


def require_linear(prepare: Callable[[int], Run], smallest: int, largest: int) -> None:
    """Double the length of a text from ``smallest`` to ``largest``, and compare the work for it.

    ``prepare`` makes the text of about that many characters, which is not measured, and returns the function that reads
    it.

    :raises NotLinear: when two doublings in a row take more than ``MAX_GROWTH`` times the work, in each of ``TRIES``.
    """
    faults = []
    for _ in range(TRIES):
        fault = _fault(prepare, smallest, largest)
        if fault is None:
            return
        faults.append(fault)
    raise NotLinear("; ".join(faults))


def _fault(prepare: Callable[[int], Run], smallest: int, largest: int) -> str | None:
    """Return the lengths and seconds of two doublings that took too long; None when there are none."""
    measured: list[tuple[int, float]] = []
    length = smallest
    while length <= largest:
        run = prepare(length)
        taken = seconds(run)
        if NOISE < taken < DISTINCT:
            taken = min(taken, seconds(run, REPEATS - 1))
        measured.append((length, taken))
        if taken > TOO_LONG or _outgrown([each for _, each in measured[-3:]]):
            return ", ".join(f"{each}: {value:.4f} s" for each, value in measured)
        length *= 2
    return None


def _outgrown(taken: list[float]) -> bool:
    """Return whether each of two doublings has taken too long; short times that are noise do not count."""
    if len(taken) < 3 or taken[0] < NOISE:
        return False
    first, second, third = taken
    return second > MAX_GROWTH * first and third > MAX_GROWTH * second


def _once(run: Run) -> float:
    begin = time.thread_time()
    run()
    return time.thread_time() - begin


@contextmanager
def _without_collector() -> Iterator[None]:
    # Its passes go over all objects of the process, however many those are.
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
