"""Reports the health of a process: named checks behind ``/healthz`` and ``/readyz``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import JSONResponse

from shared.runtime.logging import first_line

Check = Callable[[], Awaitable[str | None]]
# A probe is answered within 2 s, the timeout that orchestrators commonly have: it gets the reason and no silence.
CHECK_TIMEOUT = 1.5


@dataclass(frozen=True, slots=True)
class _Named:
    check: Check
    live: bool


class Health:
    """The checks of one process; a check returns None when well, else the reason in words."""

    def __init__(self) -> None:
        self._checks: dict[str, _Named] = {}
        self._under_way: dict[str, asyncio.Task[str | None]] = {}

    def add(self, name: str, check: Check, *, live: bool = False) -> None:
        """Add or replace a check. ``live`` checks also decide ``/healthz``: restarting would help."""
        self._checks[name] = _Named(check, live)

    async def reasons(self, *, live_only: bool = False) -> dict[str, str]:
        """Run the checks at once, and return the reasons of failed ones by name; a check that takes too long fails."""
        checks = {
            name: named.check
            for name, named in self._checks.items()
            if named.live or not live_only
        }
        running = [self._run(name, check) for name, check in checks.items()]
        results = await asyncio.gather(*running)
        by_name = zip(checks, results, strict=True)
        return {name: reason for name, reason in by_name if reason is not None}

    async def _run(self, name: str, check: Check) -> str | None:
        # One that hangs is not begun again beside itself: each would take one more connection of its pool.
        task = self._under_way.get(name)
        if task is None:
            task = asyncio.create_task(_checked(check), name=f"check {name}")
            self._under_way[name] = task
            task.add_done_callback(lambda _: self._under_way.pop(name))
        # Not cancelled: drivers wait for their server to confirm that, which may be what hangs.
        done, _ = await asyncio.wait([task], timeout=CHECK_TIMEOUT)
        return _reason(task) if done else f"no answer within {CHECK_TIMEOUT:g} s"

    def router(self) -> APIRouter:
        """Return the routes ``/healthz`` (alive) and ``/readyz`` (able to serve): 200, or 503 with reasons."""
        router = APIRouter(include_in_schema=False)

        @router.get("/healthz")
        async def healthz() -> Response:
            reasons = await self.reasons(live_only=True)
            return _response(reasons)

        @router.get("/readyz")
        async def readyz(request: Request) -> Response:
            # Peers are not asked any more: the process is not ready, however they are.
            if getattr(request.app.state, "stopping", False):
                return _response({"process": "stopping"})
            reasons = await self.reasons()
            return _response(reasons)

        return router


async def _checked(check: Check) -> str | None:
    return await check()


def _reason(task: asyncio.Task[str | None]) -> str | None:
    if task.cancelled():
        return "the check was cancelled"
    error = task.exception()
    if error is None:
        return task.result()
    # A failing check is an answer, whatever its type.
    return f"{type(error).__qualname__}: {first_line(error)}"


def stop_being_ready(app: FastAPI) -> None:
    """Have ``/readyz`` report that the process is stopping, so that no new requests are sent to it."""
    app.state.stopping = True


def _response(reasons: dict[str, str]) -> Response:
    if reasons:
        content = {"status": "unavailable", "reasons": reasons}
        return JSONResponse(content, status_code=503)
    return JSONResponse({"status": "ok"})
