"""Health of a process: named checks behind ``/healthz`` and ``/readyz``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import JSONResponse

from shared.runtime.logging import first_line

Check = Callable[[], Awaitable[str | None]]
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
        names = [
            name for name, named in self._checks.items() if named.live or not live_only
        ]
        answers = await asyncio.gather(
            *(_ask(self._checks[name].check) for name in names)
        )
        return {
            name: answer
            for name, answer in zip(names, answers, strict=True)
            if answer is not None
        }

    def router(self) -> APIRouter:
        """Return the routes ``/healthz`` (alive) and ``/readyz`` (able to serve): 200, or 503 with reasons."""
        router = APIRouter(include_in_schema=False)

        @router.get("/healthz")
        async def healthz() -> Response:
            return _answer(await self.reasons(live_only=True))

        @router.get("/readyz")
        async def readyz(request: Request) -> Response:
            stopping = (
                {"process": "stopping"}
                if getattr(request.app.state, "stopping", False)
                else None
            )
            return _answer(stopping or await self.reasons())

        return router


def stop_being_ready(app: FastAPI) -> None:
    """Have ``/readyz`` say that the process is stopping, so that no new requests are sent to it."""
    app.state.stopping = True


async def _ask(check: Check) -> str | None:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT):
            return await check()
    except TimeoutError:
        return f"no answer within {CHECK_TIMEOUT:g} s"
    except Exception as error:  # noqa: BLE001  a failing check is an answer, whatever its type
        return f"{type(error).__qualname__}: {first_line(error)}"


def _answer(reasons: dict[str, str]) -> Response:
    if reasons:
        return JSONResponse(
            {"status": "unavailable", "reasons": reasons}, status_code=503
        )
    return JSONResponse({"status": "ok"})
