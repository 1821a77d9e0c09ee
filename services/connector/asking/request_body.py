"""The body of a request, read no further than it may be long and no longer than it may take."""

from __future__ import annotations

import asyncio

from fastapi import Request

ARRIVAL_SECONDS = 30.0


async def read_body(request: Request, limit: int) -> bytes | None:
    """The body, None when it is longer than ``limit`` bytes; raises TimeoutError when it does not arrive in time."""
    parts: list[bytes] = []
    size = 0
    async with asyncio.timeout(ARRIVAL_SECONDS):
        async for part in request.stream():
            size += len(part)
            if size > limit:
                return None
            parts.append(part)
    return b"".join(parts)
