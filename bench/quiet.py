"""Keeps the log of what is measured out of the figures: the standard configuration alone is hundreds of lines."""

from __future__ import annotations

import logging

import structlog


def only_warnings() -> None:
    """Have this process log warnings and errors alone."""
    wrapper = structlog.make_filtering_bound_logger(logging.WARNING)
    structlog.configure(wrapper_class=wrapper)
