"""Suppresses the informational log of the measured system: the standard configuration is hundreds of lines."""

from __future__ import annotations

import logging

import structlog


def only_warnings() -> None:
    """Log only warnings and errors of this process."""
    wrapper = structlog.make_filtering_bound_logger(logging.WARNING)
    structlog.configure(wrapper_class=wrapper)
