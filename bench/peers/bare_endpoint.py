"""Serves three statements by FastAPI and asyncpg only, as in their documentation: the least cost of a short call."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import uvicorn
from fastapi import FastAPI


def application(dsn: str, statements: dict[str, str]) -> FastAPI:
    """Return an application with a page, a record and the creation of one."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with asyncpg.create_pool(dsn, min_size=4, max_size=12) as pool:
            app.state.pool = pool
            yield

    app = FastAPI(lifespan=lifespan)

    @app.get("/page")
    async def page() -> list[dict[str, Any]]:
        rows = await app.state.pool.fetch(statements["page"])
        return [dict(row) for row in rows]

    @app.get("/record/{record_id}")
    async def record(record_id: str) -> dict[str, Any]:
        row = await app.state.pool.fetchrow(statements["record"], record_id)
        return dict(row)

    @app.post("/record")
    async def create(values: dict[str, str]) -> dict[str, str]:
        async with app.state.pool.acquire() as connection, connection.transaction():
            created = await connection.fetchval(statements["create"], values["name__v"])
        return {"id": created}

    return app


if __name__ == "__main__":
    settings = json.loads(Path(sys.argv[1]).read_text())
    uvicorn.run(
        application(settings["dsn"], settings["statements"]),
        host="127.0.0.1",
        port=settings["port"],
        loop="uvloop",
        http="httptools",
        access_log=False,
    )
