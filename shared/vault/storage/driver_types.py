"""Reads PostgreSQL's types once for all sessions of a pool, where the driver reads them in every session."""

from __future__ import annotations

from collections.abc import Collection
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import asyncpg

if TYPE_CHECKING:
    DriverSession = asyncpg.Connection[asyncpg.Record]
else:
    DriverSession = asyncpg.Connection

FIRST_OWN_OID = 16384  # PostgreSQL's own types have smaller ones, the same in every database of a version
PLATFORM = "platform"  # the schema of the migrations, which create a type once and never change it
PRIOR_STATEMENT = SimpleNamespace(name="asked before")


def session_type() -> type[DriverSession]:
    """Return the class of a pool's sessions, which share what each of them has read about PostgreSQL's types.

    The driver asks for arrays again in every session, by a recursive statement that takes PostgreSQL milliseconds to
    plan: more than anything else that a session does before its first statement.
    """
    types: dict[int, list[asyncpg.Record]] = {}
    names: dict[tuple[str, str], asyncpg.Record] = {}

    class Session(DriverSession):
        __slots__ = ()

        async def _introspect_types(
            self, typeoids: Collection[int], timeout: float | None
        ) -> tuple[list[asyncpg.Record], Any]:
            found: list[asyncpg.Record] = []
            # The driver prepares a statement anew if this one has displaced it; nothing does if nothing is asked.
            statement: Any = PRIOR_STATEMENT
            for oid in typeoids:
                rows = types.get(oid)
                if rows is None:
                    asking = super()._introspect_types  # type: ignore[misc]  # not in the stubs
                    rows, statement = await asking((oid,), timeout)
                if all(_is_lasting(row) for row in rows):
                    types[oid] = rows
                found += rows
            return found, statement

        async def _introspect_type(self, typename: str, schema: str) -> asyncpg.Record:
            known = names.get((schema, typename))
            if known is None:
                asking = super()._introspect_type  # type: ignore[misc]
                known = await asking(typename, schema)
            if known["oid"] < FIRST_OWN_OID:
                names[schema, typename] = known
            return known

    return Session


def _is_lasting(row: asyncpg.Record) -> bool:
    """Return whether a type stays what it is, under the same number, as long as the database exists."""
    own: bool = row["oid"] >= FIRST_OWN_OID
    return not own or row["ns"] == PLATFORM
