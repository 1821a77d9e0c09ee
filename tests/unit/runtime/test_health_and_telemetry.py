"""Health and metrics routes, called as a probe would call them."""

from __future__ import annotations

import asyncio
import contextlib

import aiohttp
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from shared.runtime import health as health_module
from shared.runtime.health import Health
from shared.runtime.http_layers import RequestMetrics
from shared.runtime.metrics_route import metrics_router
from shared.runtime.telemetry import Metrics, measure_loop_lag
from tests.unit.runtime.serving import serving


async def well() -> str | None:
    return None


async def ill() -> str | None:
    return "outbox stands still"


async def broken() -> str | None:
    raise ConnectionError("refused\nsecond line")


class Hanging:
    """A check that hangs even when cancelled, as a driver does whose server is silent."""

    def __init__(self) -> None:
        self.begun = 0
        self.answer = asyncio.Event()

    async def __call__(self) -> str | None:
        self.begun += 1
        while not self.answer.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await self.answer.wait()
        return None


async def test_ready_and_live_are_different_checks() -> None:
    health = Health()
    app = FastAPI()
    app.include_router(health.router())
    async with serving(app) as url, aiohttp.ClientSession(url) as http:

        async def ask(path: str) -> tuple[int, object]:
            async with http.get(path) as response:
                return response.status, (await response.json()).get("reasons")

        health.add("database", well)
        assert await ask("/healthz") == (200, None)
        assert await ask("/readyz") == (200, None)
        health.add("outbox", ill)
        assert await ask("/healthz") == (200, None)
        assert await ask("/readyz") == (503, {"outbox": "outbox stands still"})
        health.add("consumer", broken, live=True)
        assert await ask("/healthz") == (503, {"consumer": "ConnectionError: refused"})


async def test_a_check_that_hangs_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_module, "CHECK_TIMEOUT", 0.01)
    health = Health()
    hanging = Hanging()
    health.add("broker", hanging)
    for _ in range(3):
        assert await health.reasons() == {"broker": "no answer within 0.01 s"}
    assert hanging.begun == 1
    hanging.answer.set()
    assert await health.reasons() == {}
    assert await health.reasons() == {}
    assert hanging.begun == 2


async def test_requests_are_counted_by_route() -> None:
    catalogue = Metrics(CollectorRegistry())
    app = FastAPI()
    app.include_router(metrics_router(catalogue))

    @app.get("/records/{record}")
    async def record(record: str) -> str:
        if record == "bad":
            raise ValueError
        return record

    app.add_middleware(RequestMetrics, catalogue=catalogue)
    async with serving(app) as url, aiohttp.ClientSession(url) as http:
        for path in ("/records/a", "/records/b", "/records/bad", "/none/1", "/none/2"):
            await (await http.get(path)).read()
        async with http.get("/metrics") as response:
            text = await response.text()
    assert (
        'http_requests_total{method="GET",route="/records/{record}",status="200"} 2.0'
        in text
    )
    assert (
        'http_requests_total{method="GET",route="/records/{record}",status="500"} 1.0'
        in text
    )
    assert (
        'http_requests_total{method="GET",route="unmatched",status="404"} 2.0' in text
    )


async def test_loop_lag_is_observed_by_how_long_it_was() -> None:
    catalogue = Metrics(CollectorRegistry())
    task = asyncio.create_task(measure_loop_lag(catalogue, interval=0.0))
    await asyncio.sleep(0)
    # A step of the event loop that takes as long as this one is counted among those above a quarter of a second.
    until = asyncio.get_running_loop().time() + 0.3
    while asyncio.get_running_loop().time() < until:
        pass
    for _ in range(5):
        await asyncio.sleep(0)
    task.cancel()
    value = catalogue.registry.get_sample_value
    all_of_them = value("event_loop_lag_seconds_count") or 0
    short = value("event_loop_lag_seconds_bucket", {"le": "0.25"}) or 0
    assert all_of_them - short >= 1
