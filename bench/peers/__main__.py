"""Measures the floor and the peers in turns, on servers of its own: ``python -m bench.peers``.

The peers' packages are installed into a virtual environment of their own, from ``requirements.txt`` in this folder.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
import venv
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg

from bench.peers import work
from bench.processor_time import processor_seconds
from local.service import PROJECT
from local.system import DEFAULT_DIRECTORY, System

HERE = Path(__file__).parent
PACKAGES = HERE / "requirements.txt"
FLOOR, DLT = "floor", "dlt"
PROGRAMS = {
    FLOOR: "bench.peers.floor",
    "FastStream with SQLAlchemy": "bench.peers.faststream_peer",
    "Celery with SQLAlchemy": "bench.peers.celery_peer",
    DLT: "bench.peers.dlt_peer",
}
# Each begins with empty tables; the second turn changes one field of every account.
TURNS = ("account, insert", "account, update", "inquiry")


class PeerFailed(Exception):
    """Raised for a peer that ended before it had done its work."""


async def environment(folder: Path) -> Path:
    """Return the Python of the peers' virtual environment, which is made the first time."""
    python = folder / "bin" / "python"
    stamp = folder / "installed.txt"
    wanted = PACKAGES.read_text()
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    venv.create(folder, with_pip=True, clear=True)
    process = await asyncio.create_subprocess_exec(
        python, "-m", "pip", "install", "--quiet", "--requirement", PACKAGES
    )
    if await process.wait():
        message = "the peers' packages could not be installed"
        raise PeerFailed(message)
    stamp.write_text(wanted)
    return python


class Peer:
    """The process of one peer, its databases and its counters."""

    def __init__(self, system: System, name: str, number: int) -> None:
        self.name = name
        self._system = system
        self._databases = [f"peer_{number}_source", f"peer_{number}_target"]
        self._process: asyncio.subprocess.Process

    def dsn(self, database: str) -> str:
        return self._system.postgres.dsn.rpartition("/")[0] + f"/{database}"

    async def prepare(self, count: int) -> None:
        """Make the peer's databases, with ``count`` accounts and as many inquiries."""
        administrator = await asyncpg.connect(self._system.postgres.dsn)
        for database in self._databases:
            await administrator.execute(f"DROP DATABASE IF EXISTS {database}")
            await administrator.execute(f"CREATE DATABASE {database}")
        await administrator.close()
        source, target = [
            await asyncpg.connect(self.dsn(each)) for each in self._databases
        ]
        await source.execute(work.SOURCE_DDL + work.AUDIT_DDL)
        await target.execute(work.target_ddl())
        await source.execute(work.SOURCE_ROWS, count)
        await source.execute(work.INQUIRIES, count)
        await source.execute("ANALYZE")
        await source.close()
        await target.close()

    @asynccontextmanager
    async def running(self, python: Path) -> AsyncIterator[None]:
        """Run the peer's process during the block."""
        addresses = [self.dsn(each) for each in self._databases]
        amqp = f"{self._system.rabbitmq.amqp_url}/{quote('/', safe='')}"
        self._process = await asyncio.create_subprocess_exec(
            python if self.name != FLOOR else sys.executable,
            "-m",
            PROGRAMS[self.name],
            *addresses,
            amqp,
            cwd=PROJECT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            yield
        finally:
            assert self._process.stdin
            self._process.stdin.close()
            await self._process.wait()

    async def turn(self, kind: str, count: int) -> dict[str, float]:
        """Carry out one turn; return microseconds of processor and bytes of WAL per record, and records per second."""
        if kind == "account, update":
            source = await asyncpg.connect(self.dsn(self._databases[0]))
            await source.execute(work.CHANGES, str(time.monotonic_ns()))
            await source.close()
        await self._send_line("inquiry" if kind == "inquiry" else "account")
        await self._await_line("ready")
        before, wal = await self._counters()
        started = time.perf_counter()
        await self._send_line("begin")
        await self._await_line("done")
        elapsed = time.perf_counter() - started
        after, wal_after = await self._counters()
        await self._send_line("next")
        spent = sum(after.values()) - sum(before.values())
        return {
            "microseconds": spent * 1e6 / count,
            "per_second": count / elapsed,
            "wal_bytes": (wal_after - wal) / count,
        }

    async def _send_line(self, line: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(f"{line}\n".encode())
        await self._process.stdin.drain()

    async def _await_line(self, word: str) -> None:
        assert self._process.stdout
        while line := await self._process.stdout.readline():
            if line.decode().strip() == word:
                return
        raise PeerFailed(f"{self.name} ended before it was {word}")

    async def _counters(self) -> tuple[Mapping[str, float], int]:
        # Of the system, only the servers run.
        processes = self._system.process_ids() | {"peer": self._process.pid}
        connection = await asyncpg.connect(self._system.postgres.dsn)
        position = await connection.fetchval(
            "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn"
        )
        await connection.close()
        return processor_seconds(processes), int(position)


async def measured(count: int, rounds: int) -> dict[str, dict[str, dict[str, int]]]:
    """Return the medians of ``rounds`` by kind of work and peer, the peers by turns."""
    python = await environment(DEFAULT_DIRECTORY / "peers")
    found: dict[str, dict[str, list[dict[str, float]]]] = {kind: {} for kind in TURNS}
    with tempfile.TemporaryDirectory(prefix="connection-peers-") as folder:
        # Servers that run as another user pass through to their data.
        Path(folder).chmod(0o711)
        system = System(Path(folder) / "system")
        try:
            await system.start_servers()
            for _ in range(rounds):
                for number, name in enumerate(PROGRAMS):
                    peer = Peer(system, name, number)
                    await peer.prepare(count)
                    async with peer.running(python):
                        # dlt knows accounts only.
                        kinds = TURNS[:2] if name == DLT else TURNS
                        for kind in kinds:
                            figures = await peer.turn(kind, count)
                            found[kind].setdefault(name, []).append(figures)
        finally:
            await system.reset()
    return {
        kind: {name: _medians(turns) for name, turns in peers.items()}
        for kind, peers in found.items()
    }


def _medians(turns: list[dict[str, float]]) -> dict[str, int]:
    return {
        name: round(statistics.median(turn[name] for turn in turns))
        for name in turns[0]
    }


def main() -> int:
    """Measure, print a line for each kind of work and peer, store JSON if asked to, and return 0."""
    parser = argparse.ArgumentParser(
        prog="bench.peers", description="Floor and peers, by turns"
    )
    parser.add_argument(
        "--records", type=int, default=10_000, help="accounts and inquiries of a turn"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    figures: Any = asyncio.run(measured(arguments.records, arguments.rounds))
    for kind, peers in figures.items():
        for name, cost in peers.items():
            sys.stdout.write(f"{kind}; {name}: {json.dumps(cost)}\n")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
