"""Fixtures of unit tests that change state of the whole process."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import structlog

from shared.runtime.logging import QUIET_LOGGERS
from shared.runtime.waiting import state_log


@pytest.fixture(autouse=True)
def every_peer_is_up() -> None:
    """Forget peers that were away at the end of an earlier test, since the log says when they are back."""
    state_log.outages.clear()


@pytest.fixture
def logging_restored() -> Iterator[None]:
    """Restore both kinds of logger afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in QUIET_LOGGERS}
    yield
    root.handlers, root.level = handlers, level
    for name, quiet in levels.items():
        logging.getLogger(name).setLevel(quiet)
    structlog.reset_defaults()
