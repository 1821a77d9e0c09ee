"""Defines faults: their effect on a call, or on a message on its way to the broker."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

EVERY_CALL = "/api/**"
JSON = "application/json;charset=UTF-8"
HTML = "text/html;charset=UTF-8"
STATUS_HEADER = b"x-vaultapi-status"

Header = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class StruckCall:
    """A call under a fault: the application that would carry it out, and its ASGI channels.

    ``seconds`` is the duration of faults that take time.
    """

    app: ASGIApp
    scope: Scope
    receive: Receive
    send: Send
    seconds: float

    async def carry_out(self, send: Send) -> None:
        """Have the Vault carry the call out, its answer going to ``send``."""
        await self.app(self.scope, self.receive, send)

    async def answer(
        self,
        status: int,
        body: bytes,
        media: str,
        headers: tuple[Header, ...] = (),
    ) -> None:
        """Send an answer in place of the Vault's."""
        length = str(len(body)).encode()
        named = [
            (b"content-type", media.encode()),
            (b"content-length", length),
            *headers,
        ]
        start = {"type": "http.response.start", "status": status, "headers": named}
        await self.send(start)
        await self.send({"type": "http.response.body", "body": body})


@dataclass(frozen=True, slots=True)
class Treatment:
    """The relay's treatment of a message under a fault.

    The relay publishes the message ``copies`` times. It delays the message by ``delay_seconds`` or, with
    ``until_overtaken``, until it has published the next message of the queue.
    """

    copies: int = 1
    delay_seconds: float = 0.0
    until_overtaken: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault(ABC):
    """One kind of fault; ``seconds`` is its duration unless its switch sets one, 0 for faults that take no time."""

    name: str
    label: str
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFault(Fault):
    """A fault of calls; ``path`` is the pattern of affected calls unless its switch sets one."""

    path: str = EVERY_CALL

    @abstractmethod
    async def strike(self, call: StruckCall) -> None:
        """Answer the call as the fault does, or leave it unanswered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFault(Fault):
    """A fault of the messages that a Vault sends to its queues."""

    treatment: Treatment

    def treat(self, seconds: float) -> Treatment:
        """Return the treatment of a message; only a fault that takes time delays it, by ``seconds``."""
        delay = seconds if self.seconds else 0.0
        made = self.treatment
        return Treatment(made.copies, delay, made.until_overtaken)


def envelope(status: str, error_type: str, message: str) -> bytes:
    """Return the body of an envelope with one error."""
    errors = [{"type": error_type, "message": message}]
    body: dict[str, Any] = {"responseStatus": status, "responseMessage": None}
    return orjson.dumps({**body, "errors": errors})
