"""Does the part of the work that dlt can do: accounts merged by key, without person, audit trail or lineage."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator

import dlt
import psycopg2
from psycopg2.extras import RealDictCursor

from bench.peers import work
from bench.peers.turns import Turn, turns


def _accounts(dsn: str) -> Iterator[list[dict[str, object]]]:
    with (
        psycopg2.connect(dsn) as connection,
        connection.cursor("accounts", cursor_factory=RealDictCursor) as cursor,
    ):
        cursor.itersize = work.UNIT
        cursor.execute("SELECT * FROM account ORDER BY id")
        while rows := cursor.fetchmany(work.UNIT):
            yield [dict(row) for row in rows]


async def main() -> None:
    """Carry out the turns that standard input names, until it ends."""
    async for turn in turns(sys.argv):
        await _turn(turn)


async def _turn(turn: Turn) -> None:
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    pipeline = dlt.pipeline(
        "peer",
        destination=dlt.destinations.postgres(turn.target),
        dataset_name="merged",
    )
    resource = dlt.resource(
        _accounts(turn.source),
        name="account",
        write_disposition={"disposition": "merge", "strategy": "upsert"},
        primary_key="id",
    )
    await turn.begin()
    pipeline.run(resource)
    await turn.end()


if __name__ == "__main__":
    asyncio.run(main())
