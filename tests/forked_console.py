"""Runs the console in processes of its own, forked from one that has imported it: importing takes it longest."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from medcrm.cli import app

ROOT = Path(__file__).parents[1]
_WAIT = 60.0
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload([__name__, "pytest"])


@dataclass(frozen=True, slots=True)
class Ended:
    """How the console ended, and what it wrote."""

    exit_code: int
    output: str
    errors: str


async def run_console(
    *arguments: str, variables: Mapping[str, str], answer: str = ""
) -> Ended:
    """Run the console as users do, here without a terminal; ``variables`` are further ones beside this process's."""
    with tempfile.TemporaryDirectory() as folder:
        streams = [Path(folder, name) for name in ("input", "output", "errors")]
        _, output, errors = streams
        for stream in streams:
            stream.write_text("")
        streams[0].write_text(answer)
        environment = {**os.environ, **variables}
        process = _FORKS.Process(
            target=_console, args=(arguments, environment, streams)
        )
        process.start()
        await asyncio.to_thread(process.join, _WAIT)
        if process.exitcode is None:
            process.kill()
            process.join()
        code = process.exitcode
        assert code is not None
        process.close()
        return Ended(code, output.read_text(), errors.read_text())


def _console(
    arguments: tuple[str, ...], variables: Mapping[str, str], streams: list[Path]
) -> None:
    # No terminal to ask at.
    os.setsid()
    os.chdir(ROOT)
    os.environ.clear()
    os.environ.update(variables)
    for number, path in enumerate(streams):
        flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_APPEND
        opened = os.open(path, flags)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", closefd=False)
    app(list(arguments), prog_name="medcrm")
