"""Captures what a test logs, apart from what Vaults and connections of other tests log in the same process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from structlog.contextvars import bound_contextvars, merge_contextvars
from structlog.testing import capture_logs
from structlog.typing import EventDict


@contextmanager
def own_logs() -> Iterator[list[EventDict]]:
    """Yield a list that has the log lines of the block, and of tasks started in it, after the end of the block."""
    own: list[EventDict] = []
    mark = uuid4().hex
    with (
        bound_contextvars(test=mark),
        capture_logs(processors=[merge_contextvars]) as lines,
    ):
        yield own
    own += [line for line in lines if line.get("test") == mark]
