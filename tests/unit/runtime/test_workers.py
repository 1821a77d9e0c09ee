"""Processes behind one port: a killed one is replaced, and one that cannot start ends all with its status."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from shared.runtime.workers import SharedSockets, run_workers
from shared.vault.assembly.vault_listening import VaultListening

# Notes what it was given, and is killed until it is the third one, which cannot start.
WORKER = """
import os, signal, sys
with open({file!r}, "a") as notes:
    print(sys.argv[1], os.environ["PROMETHEUS_MULTIPROC_DIR"], file=notes)
if len(open({file!r}).readlines()) < 3:
    os.kill(os.getpid(), signal.SIGKILL)
http, tls, alive, counts, number = sys.argv[1].split(",")
import socket
assert socket.socket(fileno=int(http)).getsockname()[1] == {port}
assert not tls
assert os.fstat(int(counts)).st_size == 8
assert number == "0"
sys.exit(7)
"""


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        found: int = free.getsockname()[1]
    return found


def test_a_killed_worker_is_replaced_and_one_that_cannot_start_ends_all(
    tmp_path: Path, port: int
) -> None:
    notes = tmp_path / "notes"
    script = WORKER.format(file=str(notes), port=port)
    # What a worker runs has braces of its own.
    file = tmp_path / "worker.py"
    file.write_text(script)
    command = [sys.executable, str(file), "{sockets}"]
    assert run_workers(command, 1, "127.0.0.1", [port]) == 7
    lines = notes.read_text().splitlines()
    assert len(lines) == 3
    assert len(set(lines)) == 1
    _, folder = lines[0].split()
    assert not Path(folder).exists()


def test_an_address_in_use_is_refused_before_any_worker_begins(tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(OSError, match="in use"),
    ):
        run_workers(
            [sys.executable, "-c", "1"],
            2,
            "127.0.0.1",
            [taken.getsockname()[1]],
        )


@pytest.mark.parametrize(
    "sockets", [SharedSockets(3, None, 4, 6, 0), SharedSockets(3, 5, 4, 6, 1)]
)
def test_sockets_are_read_as_they_are_written(sockets: SharedSockets) -> None:
    assert SharedSockets.read(sockets.text()) == sockets
    every = {sockets.http, sockets.tls, sockets.alive, sockets.counts}
    assert set(sockets.passed) == every - {None}


@pytest.mark.parametrize("workers", ["0", "65", "two"])
def test_a_number_of_workers_that_cannot_be(
    monkeypatch: pytest.MonkeyPatch, workers: str
) -> None:
    monkeypatch.setenv("VAULT_WORKERS", workers)
    with pytest.raises(ValidationError):
        VaultListening()
