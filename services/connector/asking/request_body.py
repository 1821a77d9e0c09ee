"""Reads the body of a request with a bound on its length and on the time that it may take to arrive."""

from __future__ import annotations

import asyncio

from fastapi import Request

ARRIVAL_SECONDS = 30.0


async def read_body(request: Request, limit: int) -> bytes | None:
    """Return the body, None when it is longer than ``limit`` bytes.

    :raises TimeoutError: the body does not arrive within 30 seconds.
    """
    parts: list[bytes] = []
    size = 0
    async with asyncio.timeout(ARRIVAL_SECONDS):
        async for part in request.stream():
            # Counted as it arrives: Content-Length is a claim, and chunked bodies have none.
            size += len(part)
            if size > limit:
                return None
            parts.append(part)
    return b"".join(parts)
