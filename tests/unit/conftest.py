"""Fixtures of unit tests that change state of the whole process."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import structlog

from shared.runtime.logging import QUIET_LOGGERS


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
