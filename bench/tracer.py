"""Counts the calls of the project's functions in the process it is installed in, and writes the counts on a signal."""

from __future__ import annotations

import inspect
import json
import os
import signal
import sys
import threading
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

SIGNAL = signal.SIGUSR2
_ROOT = f"{Path(__file__).resolve().parent.parent}/"
_TRACED = (f"{_ROOT}services/", f"{_ROOT}shared/")


class Tracer:
    """Counts calls, including a coroutine's resumptions, and writes them as JSON to a file named for the process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._calls: Counter[tuple[str, str]] = Counter()

    def install(self) -> None:
        """Start counting, in this thread and in those that it starts."""
        signal.signal(SIGNAL, self._write)
        threading.setprofile(self._count)
        sys.setprofile(self._count)

    def _count(self, frame: FrameType, event: str, _argument: Any) -> None:
        # Only a function has optimized locals: the body of a module or class, which runs on import, has not.
        code = frame.f_code
        if (
            event == "call"
            and code.co_filename.startswith(_TRACED)
            and code.co_flags & inspect.CO_OPTIMIZED
        ):
            self._calls[code.co_filename, code.co_qualname] += 1

    def _write(self, _number: int, _frame: FrameType | None) -> None:
        # Counting continues in a new counter: while this one is read, the garbage collector may call a finalizer.
        calls, self._calls = self._calls, Counter()
        own = [(file.removeprefix(_ROOT), *at, n) for (file, *at), n in calls.items()]
        new = self._folder / f"{os.getpid()}.new"
        new.write_text(json.dumps(own))
        # Renamed when it is complete, as the reader waits for this name.
        new.rename(new.with_suffix(".json"))
