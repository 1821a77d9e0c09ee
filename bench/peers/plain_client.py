"""Makes one call again and again over connections of its own, and only counts the answers, so that it costs little."""

from __future__ import annotations

import re
import selectors
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlencode, urlsplit

OK = b"HTTP/1.1 200 "
END_OF_HEAD = b"\r\n\r\n"
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
RECEIVED = 2**18  # bytes at once, more than an answer has
PATIENCE = 60.0  # seconds that an answer may take


def form_call(
    url: str, path: str, headers: Mapping[str, str], form: Mapping[str, str]
) -> bytes:
    """Return the bytes of a call that posts a form."""
    body = urlencode(form)
    every = {
        "Host": urlsplit(url).netloc,
        **headers,
        "Content-Type": "application/x-www-form-urlencoded",
        "Content-Length": str(len(body)),
    }
    lines = [f"POST {path} HTTP/1.1", *(f"{k}: {v}" for k, v in every.items())]
    return "\r\n".join([*lines, "", body]).encode()


class _Answers:
    """One connection: sends the call, and says when an answer to it is complete."""

    def __init__(self, connection: socket.socket, call: bytes) -> None:
        self._connection = connection
        self._call = call
        self._head = b""
        self._left = 0

    def ask(self) -> None:
        self._connection.sendall(self._call)

    def complete(self) -> bool:
        """Read what has come, and return whether an answer ends with it."""
        data = self._connection.recv(RECEIVED)
        assert data, "the server has closed a connection"
        if self._left:
            self._left -= len(data)
            return not self._left
        head, end, body = (self._head + data).partition(END_OF_HEAD)
        if not end:
            self._head = head
            return False
        self._head = b""
        length = LENGTH.search(head)
        assert head.startswith(OK), head
        assert length, head
        self._left = int(length[1]) - len(body)
        return not self._left


class PlainClient:
    """Open connections, each of which makes one call at a time."""

    def __init__(self, waiting: selectors.BaseSelector) -> None:
        self._waiting = waiting

    @classmethod
    @contextmanager
    def connected(cls, url: str, call: bytes, clients: int) -> Iterator[PlainClient]:
        """Yield a client with ``clients`` connections."""
        address = urlsplit(url)
        opened: list[socket.socket] = []
        with selectors.DefaultSelector() as waiting:
            try:
                for _ in range(clients):
                    each = socket.create_connection((address.hostname, address.port))
                    opened.append(each)
                    waiting.register(each, selectors.EVENT_READ, _Answers(each, call))
                yield cls(waiting)
            finally:
                for each in opened:
                    each.close()

    def make(self, calls: int) -> None:
        """Make so many calls, as many over each connection, and return when all are answered."""
        connections = self._waiting.get_map()
        left = {key.fd: calls // len(connections) for key in connections.values()}
        for key in self._waiting.get_map().values():
            key.data.ask()
        while any(left.values()):
            ready = self._waiting.select(PATIENCE)
            assert ready, "no answer"
            for key, _ in ready:
                if not key.data.complete():
                    continue
                left[key.fd] -= 1
                if left[key.fd]:
                    key.data.ask()
