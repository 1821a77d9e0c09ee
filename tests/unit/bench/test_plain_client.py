"""The plain client of the benchmark: it makes as many calls as asked for, however their answers are cut."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from bench.peers.plain_client import PlainClient, form_call

HEAD = b"HTTP/1.1 200 OK\r\nserver: bench\r\nContent-Length: 11\r\n\r\n"
FORM = {"q": "SELECT id FROM account__v"}
END = b"\r\n"  # of a head
BODY = b"q=SELECT+id+FROM+account__v"


@contextmanager
def answering(pieces: Sequence[bytes]) -> Iterator[tuple[str, list[bytes]]]:
    """Yield the address of a server that answers every call by these pieces, and the calls that it has got."""
    got: list[bytes] = []

    class Calls(socketserver.StreamRequestHandler):
        wbufsize = 0

        def handle(self) -> None:
            while line := self.rfile.readline():
                lines = [line, *iter(self.rfile.readline, END), END]
                got.append(b"".join(lines) + self.rfile.read(len(BODY)))
                for piece in pieces:
                    self.wfile.write(piece)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Calls) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", got
        finally:
            server.shutdown()


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([HEAD + b"hello world"], id="at once"),
        pytest.param([HEAD, b"hello", b" world"], id="the body in pieces"),
        pytest.param([HEAD[:20], HEAD[20:] + b"hello world"], id="a cut head"),
    ],
)
def test_each_connection_makes_its_calls(pieces: Sequence[bytes]) -> None:
    with answering(pieces) as (url, got):
        call = form_call(url, "/query", {"Authorization": "a session"}, FORM)
        with PlainClient.connected(url, call, 3) as client:
            client.make(12)
            client.make(3)
    assert len(got) == 12 + 3
    assert set(got) == {call}
    assert call.endswith(b"Content-Length: 27\r\n\r\n" + BODY)


def test_another_answer_than_success_fails() -> None:
    refusal = HEAD.replace(b"200 OK", b"401 Unauthorized") + b"hello world"
    with answering([refusal]) as (url, _):
        call = form_call(url, "/query", {}, FORM)
        with (
            PlainClient.connected(url, call, 1) as client,
            pytest.raises(AssertionError, match="401"),
        ):
            client.make(1)
