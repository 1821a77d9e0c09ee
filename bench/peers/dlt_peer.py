"""Does the accounts' part of the work with dlt, by its documented means.

A person and its source data are two tables. Their history (strategy ``scd2``) stands for the audit trail, the load id
of each row for lineage, and the merge key for deduplication. A pydantic model checks each row; the contract discards a
row that does not fit.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import dlt
import psycopg2
from psycopg2.extras import RealDictCursor
from pydantic import BaseModel

from bench.peers import work
from bench.peers.turns import Turn, turns

CONTRACT = {"tables": "evolve", "columns": "freeze", "data_type": "discard_row"}


class Person(BaseModel):
    """A person of an account."""

    link: str
    source_modified: datetime
    name: str | None
    first_name: str | None
    last_name: str | None
    email: str | None
    veeva_id: str | None
    external_id: str | None


class SourceData(Person):
    """What an account says of its person."""

    credentials: str | None
    phone: str | None
    person_id: str


def _accounts(dsn: str) -> Iterator[list[work.Row]]:
    with (
        psycopg2.connect(dsn) as connection,
        connection.cursor("accounts", cursor_factory=RealDictCursor) as cursor,
    ):
        cursor.itersize = work.UNIT
        cursor.execute("SELECT * FROM account ORDER BY id")
        while rows := cursor.fetchmany(work.UNIT):
            yield [dict(row) for row in rows]


def _people(accounts: list[work.Row]) -> list[work.Row]:
    return [work.person(account) for account in accounts]


def _copies(accounts: list[work.Row]) -> list[work.Row]:
    # The person's key is its link: dlt has no look-up of an id that the target gives.
    return [work.source_data(account, account["global_id"]) for account in accounts]


def _table(name: str, model: type[BaseModel], rows: Any) -> Any:
    return dlt.transformer(
        rows,
        name=name,
        columns=model,
        schema_contract=CONTRACT,
        write_disposition={"disposition": "merge", "strategy": "scd2"},
        merge_key="link",
    )


@dlt.source
def _source(dsn: str) -> Any:
    accounts = dlt.resource(_accounts(dsn), name="accounts", selected=False)
    yield accounts | _table("person", Person, _people)
    yield accounts | _table("source_data", SourceData, _copies)


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
    await turn.begin()
    pipeline.run(_source(turn.source))
    await turn.end()


if __name__ == "__main__":
    asyncio.run(main())
