"""Does the work with FastStream over a quorum queue and SQLAlchemy's asyncio sessions."""

from __future__ import annotations

import asyncio
import logging
import sys
from uuid import uuid4

from faststream.rabbit import Channel, QueueType, RabbitBroker, RabbitQueue
from sqlalchemy import select
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session

from bench.peers import work
from bench.peers.sqlalchemy_unit import ACCOUNT, INQUIRY, transfer
from bench.peers.turns import Turn, turns

PARALLEL = 4


def _asyncpg(dsn: str) -> str:
    return dsn.replace("postgresql://", "postgresql+asyncpg://", 1)


async def main() -> None:
    """Carry out the turns that standard input names, until it ends."""
    async for turn in turns(sys.argv):
        await _turn(turn)


async def _turn(turn: Turn) -> None:
    engines = [
        create_async_engine(_asyncpg(dsn), pool_size=PARALLEL)
        for dsn in (turn.source, turn.target)
    ]
    sources, targets = (async_sessionmaker(engine) for engine in engines)
    broker = RabbitBroker(
        turn.amqp,
        logger=logging.getLogger("peer"),
        default_channel=Channel(prefetch_count=PARALLEL),
    )
    queue = RabbitQueue(work.QUEUE, durable=True, queue_type=QueueType.QUORUM)
    done = asyncio.Queue[None]()

    @broker.subscriber(queue)
    async def consume(message: dict[str, object]) -> None:
        async with sources() as source, targets() as target:

            def run(session: Session) -> None:
                transfer(source.sync_session, session, message)

            await target.run_sync(run)
        done.put_nowait(None)

    async with sources() as source:
        table = INQUIRY if turn.object == "inquiry" else ACCOUNT
        found = await source.scalars(select(table.c.id).order_by(table.c.id))
        parts = work.units(list(found))
    await turn.begin()
    async with broker:
        await broker.start()
        for ids in parts:
            body = {"id": str(uuid4()), "object": turn.object, "ids": ids}
            await broker.publish(body, queue, persist=True)
        for _ in parts:
            await done.get()
    await turn.end()
    for engine in engines:
        await engine.dispose()


if __name__ == "__main__":
    asyncio.run(main())
