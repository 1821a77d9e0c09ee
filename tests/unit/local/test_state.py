"""Ports of servers: no port is assigned twice."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

from local.state import State, free_port

PROJECT = Path(__file__).resolve().parents[3]
TAKEN = (
    "import sys; from local.state import _reserve; sys.exit(_reserve(int(sys.argv[1])))"
)


def reserved_elsewhere(port: int) -> bool:
    """Whether another process finds the port reserved."""
    return (
        subprocess.run(
            [sys.executable, "-c", TAKEN, str(port)], cwd=PROJECT, check=False
        ).returncode
        == 0
    )


def test_a_port_is_given_out_once_though_nothing_listens_on_it_yet() -> None:
    port = free_port()
    assert reserved_elsewhere(port)
    with socket.create_server(("127.0.0.1", port)):
        pass
    assert reserved_elsewhere(port)


def test_two_systems_of_one_process_have_different_ports(tmp_path: Path) -> None:
    first, second = (
        State.load(tmp_path / "first.json"),
        State.load(tmp_path / "second.json"),
    )
    names = [f"server_{number}" for number in range(50)]
    assert not {first.port(name) for name in names} & {
        second.port(name) for name in names
    }
