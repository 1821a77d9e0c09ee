"""Does the work with Celery (two worker processes, a quorum queue, late acknowledgements) and SQLAlchemy."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from uuid import uuid4

from celery import Celery
from kombu import Queue
from sqlalchemy import create_engine, func, select
from sqlalchemy.orm import Session

from bench.peers import work
from bench.peers.sqlalchemy_unit import (
    ACCOUNT,
    INQUIRY,
    TRAIL_TABLES,
    transfer,
)
from bench.peers.turns import Turn, turns

SOURCE, TARGET, AMQP = (
    os.environ.get(name, "") for name in ("PEER_SOURCE", "PEER_TARGET", "PEER_AMQP")
)
POLL_SECONDS = 0.05
app = Celery("celery_peer", broker=AMQP)
app.conf.update(
    task_ignore_result=True,
    task_acks_late=True,
    worker_prefetch_multiplier=1,
    worker_detect_quorum_queues=True,
    task_default_queue=work.QUEUE,
    task_queues=[Queue(work.QUEUE, queue_arguments={"x-queue-type": "quorum"})],
    broker_transport_options={"confirm_publish": True},
    broker_connection_retry_on_startup=True,
)


def _engine(dsn: str) -> object:
    return create_engine(dsn.replace("postgresql://", "postgresql+psycopg2://", 1))


@app.task(name="bench.peers.celery_peer.carry_out")
def carry_out(message: work.Row) -> None:
    """Carry out one message."""
    with Session(_engines()[0]) as source, Session(_engines()[1]) as target:
        transfer(source, target, message)


_made: list[object] = []


def _engines() -> list[object]:
    # After the fork: connections are of one process.
    if not _made:
        _made.extend([_engine(SOURCE), _engine(TARGET)])
    return _made


async def main() -> None:
    """Carry out the turns that standard input names, until it ends."""
    async for turn in turns(sys.argv):
        await _turn(turn)


async def _turn(turn: Turn) -> None:
    environment = {
        **os.environ,
        "PEER_SOURCE": turn.source,
        "PEER_TARGET": turn.target,
        "PEER_AMQP": turn.amqp,
    }
    command = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "bench.peers.celery_peer",
        "worker",
        "-c",
        "2",
        "-l",
        "ERROR",
    ]
    worker = subprocess.Popen(  # noqa: ASYNC220  before the turn begins
        command, env=environment, stdout=subprocess.DEVNULL
    )
    try:
        app.conf.broker_url = turn.amqp
        while not app.control.ping(timeout=1.0):
            time.sleep(POLL_SECONDS)  # noqa: ASYNC251  nothing else runs here
        source, target = _engine(turn.source), _engine(turn.target)
        table = INQUIRY if turn.object == "inquiry" else ACCOUNT
        with Session(source) as session:
            parts = work.units(
                list(session.scalars(select(table.c.id).order_by(table.c.id)))
            )
        names = [str(uuid4()) for _ in parts]
        lines = TRAIL_TABLES["lineage"].c.message_id
        audits = TRAIL_TABLES["audit"].c
        await turn.begin()
        for name, ids in zip(names, parts, strict=True):
            carry_out.delay({"id": name, "object": turn.object, "ids": ids})
        while True:
            # The last thing that a message writes: lineage, or the audit entries of inquiries.
            if turn.object == "inquiry":
                with Session(source) as session:
                    count = select(func.count()).where(audits.item == "inquiry")
                    finished = session.scalar(count) == sum(map(len, parts))
            else:
                with Session(target) as session:
                    count = select(func.count(lines.distinct())).where(lines.in_(names))
                    finished = session.scalar(count) == len(parts)
            if finished:
                break
            time.sleep(POLL_SECONDS)  # noqa: ASYNC251  nothing else runs here
        await turn.end()
    finally:
        worker.terminate()
        worker.wait()


if __name__ == "__main__":
    asyncio.run(main())
