"""Does the work in plain code: asyncpg, orjson and aio-pika, straight on two databases and a quorum queue."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import uuid4

import aio_pika
import asyncpg
import orjson

from bench.peers import work
from bench.peers.turns import Turn, turns

if TYPE_CHECKING:
    Connection = asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]

PARALLEL = 4


async def write(
    target: Connection, table: str, rows: Sequence[work.Row], message: str
) -> dict[str, str]:
    """Insert or update rows by link, with audit entries and lineage; return record ids by link."""
    links = [row["link"] for row in rows]
    sql = f"SELECT * FROM {table} WHERE link = ANY($1) ORDER BY id FOR NO KEY UPDATE"
    stored = {row["link"]: dict(row) for row in await target.fetch(sql, links)}
    found = work.changes(table, rows, stored, message)
    if found.inserts:
        names = list(found.inserts[0])
        await target.execute(_insert(table, names), *_columns(found.inserts, names))
    if found.updates:
        names = list(found.updates[0])
        sets = ", ".join(f"{name} = u.{name}" for name in names if name != "id")
        sql = f"UPDATE {table} t SET {sets} FROM {_unnest(names)} WHERE t.id = u.id"
        await target.execute(sql, *_columns(found.updates, names))
    for trail, lines in (("audit", found.audit), ("lineage", found.lineage)):
        if lines:
            names = list(lines[0])
            await target.copy_records_to_table(
                trail, columns=names, records=[tuple(line.values()) for line in lines]
            )
    return found.ids


def _insert(table: str, names: Sequence[str]) -> str:
    return f"INSERT INTO {table} ({', '.join(names)}) SELECT * FROM {_unnest(names)}"


def _unnest(names: Sequence[str]) -> str:
    arrays = [f"${at}::{_type(name)}[]" for at, name in enumerate(names, 1)]
    return f"unnest({', '.join(arrays)}) AS u({', '.join(names)})"


def _type(name: str) -> str:
    if name.endswith("_date") or name == "source_modified":
        return "timestamptz"
    return "bigint" if name.endswith("_by") else "text"


def _columns(rows: Sequence[work.Row], names: Sequence[str]) -> list[list[object]]:
    return [[row[name] for row in rows] for name in names]


async def unit(source: Pool, target: Pool, body: bytes) -> None:
    """Carry out one message: ids of accounts or of inquiries."""
    message = orjson.loads(body)
    inquiries = message["object"] == "inquiry"
    join = (
        "JOIN inquiry i ON i.account_id = a.id WHERE i.id"
        if inquiries
        else "WHERE a.id"
    )
    rows = await source.fetch(
        f"SELECT a.* FROM account a {join} = ANY($1)", message["ids"]
    )
    accounts = [dict(row) for row in rows]
    asked = (
        await source.fetch("SELECT * FROM inquiry WHERE id = ANY($1)", message["ids"])
        if inquiries
        else []
    )
    async with target.acquire() as connection, connection.transaction():
        people = await write(
            connection,
            "person",
            [work.person(each) for each in accounts],
            message["id"],
        )
        copies = [
            work.source_data(each, people[each["global_id"]]) for each in accounts
        ]
        await write(connection, "source_data", copies, message["id"])
        if asked:
            person_of = {each["id"]: people[each["global_id"]] for each in accounts}
            cases = await write(
                connection,
                "case_record",
                [work.case(dict(row), person_of[row["account_id"]]) for row in asked],
                message["id"],
            )
            requests = [
                work.request(dict(row), cases[row["global_id"]]) for row in asked
            ]
            await write(connection, "case_request", requests, message["id"])
    if asked:
        await succeed(source, message["ids"])


async def succeed(source: Pool, ids: Sequence[str]) -> None:
    """Set the last status of inquiries, and write the audit entries of that."""
    async with source.acquire() as connection, connection.transaction():
        sql = "UPDATE inquiry SET status = 'success', modified_date = now() WHERE id = ANY($1)"
        await connection.execute(sql, ids)
        lines = work.status_entries(ids)
        await connection.copy_records_to_table(
            "audit",
            columns=list(lines[0]),
            records=[tuple(line.values()) for line in lines],
        )


async def main() -> None:
    """Carry out the turns that standard input names, until it ends."""
    async for turn in turns(sys.argv):
        await _turn(turn)


async def _turn(turn: Turn) -> None:
    async with (
        asyncpg.create_pool(
            turn.source, min_size=PARALLEL, max_size=PARALLEL
        ) as source,
        asyncpg.create_pool(
            turn.target, min_size=PARALLEL, max_size=PARALLEL
        ) as target,
        await aio_pika.connect(turn.amqp) as broker,
    ):
        channel = await broker.channel()
        await channel.set_qos(PARALLEL)
        queue = await channel.declare_queue(
            work.QUEUE, durable=True, arguments={"x-queue-type": "quorum"}
        )
        sql = f"SELECT id FROM {turn.object} ORDER BY id"
        parts = work.units([row["id"] for row in await source.fetch(sql)])
        done = asyncio.Queue[None]()

        async def consume(message: aio_pika.abc.AbstractIncomingMessage) -> None:
            async with message.process():
                await unit(source, target, message.body)
            done.put_nowait(None)

        await turn.begin()
        await queue.consume(consume)
        for ids in parts:
            body = orjson.dumps({"id": str(uuid4()), "object": turn.object, "ids": ids})
            await channel.default_exchange.publish(
                aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT),
                work.QUEUE,
            )
        for _ in parts:
            await done.get()
        await turn.end()


if __name__ == "__main__":
    asyncio.run(main())
