"""Fixtures of unit tests that change what the whole process has."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import structlog

from shared.runtime.logging import QUIET_LOGGERS


@pytest.fixture
def logging_restored() -> Iterator[None]:
    """Both kinds of logger are afterwards as if the process had configured none."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in QUIET_LOGGERS}
    yield
    root.handlers, root.level = handlers, level
    for name, quiet in levels.items():
        logging.getLogger(name).setLevel(quiet)
    structlog.reset_defaults()
