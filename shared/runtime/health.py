"""Reports the health of a process: named checks behind ``/healthz`` and ``/readyz``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import JSONResponse

from shared.runtime.logging import first_line

Check = Callable[[], Awaitable[str | None]]
# Below the timeout that orchestrators commonly have for a probe, so that it gets the reason and no silence.
CHECK_TIMEOUT = 2.0


@dataclass(frozen=True, slots=True)
class _Named:
    check: Check
    live: bool


class Health:
    """The checks of one process. A check returns ``None`` when well, else the reason in words."""

    def __init__(self) -> None:
        self._checks: dict[str, _Named] = {}

    def add(self, name: str, check: Check, *, live: bool = False) -> None:
        """Add or replace a check. ``live`` checks also decide ``/healthz``: restarting would help."""
        self._checks[name] = _Named(check, live)

    async def reasons(self, *, live_only: bool = False) -> dict[str, str]:
        """Run the checks at once, each for at most 2 s, and return what is wrong by check name."""
        checks = {
            name: named.check
            for name, named in self._checks.items()
            if named.live or not live_only
        }
        results = await asyncio.gather(*(_run(check) for check in checks.values()))
        by_name = zip(checks, results, strict=True)
        return {name: reason for name, reason in by_name if reason is not None}

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


def stop_being_ready(app: FastAPI) -> None:
    """Have ``/readyz`` report that the process is stopping, so that no new requests are sent to it."""
    app.state.stopping = True


async def _run(check: Check) -> str | None:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT):
            return await check()
    except TimeoutError:
        return f"no answer within {CHECK_TIMEOUT:g} s"
    except Exception as error:  # noqa: BLE001  a failing check is an answer, whatever its type
        return f"{type(error).__qualname__}: {first_line(error)}"


def _response(reasons: dict[str, str]) -> Response:
    if reasons:
        content = {"status": "unavailable", "reasons": reasons}
        return JSONResponse(content, status_code=503)
    return JSONResponse({"status": "ok"})
