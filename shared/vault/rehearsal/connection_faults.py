"""Defines the faults of the connection between a client and its Vault: late, missing, slow and broken answers."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from shared.vault.rehearsal.fault import CallFault, StruckCall

if TYPE_CHECKING:
    from starlette.types import Message, Receive

BODY = "http.response.body"
SLOW_PIECES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class BurstDelay(CallFault):
    """The caller exceeds the burst limit: the call is delayed, and a header of the answer names the delay."""

    async def strike(self, call: StruckCall) -> None:
        """Wait, have the Vault carry out the call, and add the delay to the headers of its answer."""
        await asyncio.sleep(call.seconds)
        delay = str(round(call.seconds * 1000)).encode()

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [
                    (name, b"0" if name == b"x-vaultapi-burstlimitremaining" else value)
                    for name, value in message.get("headers", ())
                ]
                headers.append((b"x-vaultapi-responsedelay", delay))
                message["headers"] = headers
            await call.send(message)

        await call.carry_out(send)


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence(CallFault):
    """The answer is missing: the call is carried out or not, and the connection stays open until it is cut."""

    carried_out: bool

    async def strike(self, call: StruckCall) -> None:
        """Keep the connection open until the client gives up, at most for the fault's seconds, then cut it."""
        if self.carried_out:
            await call.carry_out(_to_nobody)
        if not await _gone_within(call.receive, call.seconds):
            await _cut(call)


@dataclass(frozen=True, slots=True, kw_only=True)
class CutAnswer(CallFault):
    """The call is carried out, and its connection breaks in the middle of the answer."""

    async def strike(self, call: StruckCall) -> None:
        """Send half of the first part of the answer's body, and cut the connection."""
        cut = False

        async def send(message: Message) -> None:
            nonlocal cut
            if cut:
                return
            if message["type"] == BODY:
                cut = True
                body = message.get("body", b"")
                half = body[: len(body) // 2]
                # Never said to be the last: the server closes a connection whose answer does not come to its end.
                message = {"type": BODY, "body": half, "more_body": True}
            await call.send(message)

        await call.carry_out(send)


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowBytes(CallFault):
    """The call is carried out, and its answer is sent a few bytes at a time."""

    async def strike(self, call: StruckCall) -> None:
        """Send the answer in pieces for the fault's seconds; send the rest at once."""
        pauses = SLOW_PIECES

        async def send(message: Message) -> None:
            nonlocal pauses
            if message["type"] != BODY:
                await call.send(message)
                return
            body = message.get("body", b"")
            size = max(1, -(-len(body) // SLOW_PIECES))
            while body and pauses:
                pauses -= 1
                if await _gone_within(call.receive, call.seconds / SLOW_PIECES):
                    pauses = 0
                piece, body = body[:size], body[size:]
                await call.send({"type": BODY, "body": piece, "more_body": True})
            await call.send({**message, "body": body})

        await call.carry_out(send)


async def _to_nobody(_message: Message) -> None:
    """Discard a message of an answer that the client shall not get."""


async def _gone_within(receive: Receive, seconds: float) -> bool:
    """Wait, and return whether the client has closed the connection meanwhile; further input is read."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                pass
        return True
    return False


async def _cut(call: StruckCall) -> None:
    """Begin an answer without an end, after which servers close the connection."""
    status = HTTPStatus.GATEWAY_TIMEOUT
    headers = [(b"content-length", b"1")]
    await call.send(
        {"type": "http.response.start", "status": status, "headers": headers}
    )
