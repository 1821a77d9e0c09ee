"""The one error of running the system: what went wrong, and the log that says more."""

from __future__ import annotations

from pathlib import Path


class SystemFailed(Exception):
    """A part of the system could not be started, stopped or reached; ``log`` is where to look, if anywhere."""

    def __init__(self, reason: str, log: Path | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.log = log

    def __str__(self) -> str:
        return f"{self.reason} (log: {self.log})" if self.log else self.reason
