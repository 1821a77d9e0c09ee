"""Answers are not cached, and are read by their declared type only."""

from __future__ import annotations

import aiohttp
import pytest
from fastapi import FastAPI
from starlette.responses import PlainTextResponse, Response

from shared.runtime.http_layers import PrivateAnswers
from tests.unit.runtime.serving import serving

SAID = {
    "nothing": ({}, "no-store"),
    "how it may be stored": ({"Cache-Control": "max-age=60"}, "max-age=60"),
    "which version it is": ({"ETag": '"1"'}, None),
}


@pytest.mark.parametrize(("headers", "stored"), SAID.values(), ids=SAID)
async def test_what_is_said_of_an_answer(
    headers: dict[str, str], stored: str | None
) -> None:
    app = FastAPI()

    @app.get("/")
    async def page() -> Response:
        return PlainTextResponse("<script>", headers=headers)

    async with (
        serving(PrivateAnswers(app)) as url,
        aiohttp.ClientSession(url) as client,
        client.get("/") as answer,
    ):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers.get("Cache-Control") == stored


async def test_errors_are_answers_as_well() -> None:
    async with (
        serving(PrivateAnswers(FastAPI())) as url,
        aiohttp.ClientSession(url) as client,
        client.get("/nowhere") as answer,
    ):
        assert answer.status == 404
        assert answer.headers["Cache-Control"] == "no-store"
