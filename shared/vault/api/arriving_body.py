"""Collects a body while it arrives: in memory while it is short, else on disk, until its turn in memory has come."""

from __future__ import annotations

import asyncio
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING

from starlette.requests import Request

from shared.protocol.error_types import ErrorType
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

SPOOLED = 2**20
"""Bytes of a body from which on it waits on disk: a client may let many arrive at once, as slowly as it likes."""
LARGE = 4 * 2**20
"""Bytes of a body of which only one is in memory: its rows take several times as much."""


class Place:
    """The place of a large body in the memory of the process, while a call has it."""

    def __init__(self, places: asyncio.Semaphore) -> None:
        self._places = places
        self._taken = False

    async def take(self) -> None:
        """Wait for the place."""
        if not self._taken:
            await self._places.acquire()
            self._taken = True

    def leave(self) -> None:
        """Let another call have the place."""
        if self._taken:
            self._places.release()
            self._taken = False


class LargeBodies:
    """ASGI middleware that lets one call at a time have a large body in memory, until its answer begins."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._places = asyncio.Semaphore(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on with a place that it may take."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        place = Place(self._places)
        scope.setdefault("state", {})["place"] = place

        async def send_without_body(message: Message) -> None:
            # A client may read the answer as slowly as it likes.
            place.leave()
            await send(message)

        try:
            await self._app(scope, receive, send_without_body)
        finally:
            place.leave()


async def collected(request: Request, limit: int, seconds: float) -> bytes:
    """Return the whole body: at most ``limit`` bytes, which have to arrive within so many seconds.

    :raises VaultFault: EXCEEDS_FILE_MAX_SIZE.
    :raises TimeoutError: it does not arrive in time.
    """
    with SpooledTemporaryFile(SPOOLED) as spool:
        size = 0
        async with asyncio.timeout(seconds):
            # Counted as it comes: a Content-Length may be missing or wrong.
            async for chunk in request.stream():
                size += len(chunk)
                if size > limit:
                    message = f"A body here is at most {limit} bytes"
                    raise VaultFault(ErrorType.EXCEEDS_FILE_MAX_SIZE, message)
                spool.write(chunk)
        if size > LARGE:
            await request.state.place.take()
        spool.seek(0)
        if size <= SPOOLED:
            return spool.read()
        return await asyncio.to_thread(spool.read)
