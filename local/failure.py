"""Defines the error of starting, stopping and reaching the system."""

from __future__ import annotations

from pathlib import Path


class SystemFailed(Exception):
    """Raised when a part of the system could not be started, stopped or reached; ``log`` is its log file, if any."""

    def __init__(self, reason: str, log: Path | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.log = log

    def __str__(self) -> str:
        text = self.reason
        if self.log is not None:
            text += f" (log: {self.log})"
        return text
