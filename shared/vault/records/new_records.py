"""Record ids: three characters of the object's prefix and twelve of a number, handed out in blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation, require
from shared.vault.model.component_model import Field, VaultObject
from shared.vault.records import write_statements as statements

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.model.component_model import VaultObject
    from shared.vault.records.rows import Row
    from shared.vault.storage.database import Connection


USER = "user__sys"  # its ids are numbers, as created_by__v and the user calls of the API want them

BLOCK = 1000
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
WIDTH = 12


def record_id(prefix: str, number: int) -> str:
    """The id of record ``number``, for example ``V4T000000000RS``; ids of one process sort by age."""
    digits: list[str] = []
    while number:
        number, digit = divmod(number, 36)
        digits.append(DIGITS[digit])
    return prefix + "".join(reversed(digits)).rjust(WIDTH, "0")


class IdAllocator:
    """Hands out ids without a round trip each; a restart leaves at most one block unused."""

    def __init__(self) -> None:
        self._next = 0
        self._end = 0

    async def take(
        self, connection: Connection, target: VaultObject, count: int
    ) -> list[str]:
        """``count`` ids never given before, by any process on this database."""
        if target.name == USER:
            rows = await connection.fetch(
                "SELECT nextval('platform.user_id') FROM generate_series(1, $1)", count
            )
            return [str(row[0]) for row in rows]
        ids: list[str] = []
        while len(ids) < count:
            if self._next == self._end:
                block = await connection.fetchval(
                    "SELECT nextval('platform.record_id_block')"
                )
                self._next, self._end = block * BLOCK, (block + 1) * BLOCK
            size = min(self._end - self._next, count - len(ids))
            first, self._next = self._next, self._next + size
            ids.extend(
                record_id(target.prefix, number)
                for number in range(first, first + size)
            )
        return ids


SOURCE = "source_record_id"


OWN = frozenset({"link__sys"})  # says which record of another system this one is


Values = Mapping[str, object]


def copied_fields(target: VaultObject) -> list[Field]:
    """The fields that a copy takes over: neither unique nor ``no_copy``, nor set by the Vault but for the type."""
    return [
        f
        for f in target.fields.values()
        if f.name == "object_type__v"
        or (f.active and not (f.system or f.unique or f.no_copy) and f.name not in OWN)
    ]


async def stored_values(
    connection: Connection,
    target: VaultObject,
    ids: Sequence[str],
    fields: Sequence[Field],
) -> dict[str, dict[str, object]]:
    """Values of records, which are locked, as the write path carries them: id → field → value, without empty ones."""
    sql = statements.lock_statement(target, target.fields["id"], fields)
    records = await connection.fetch(sql, list(ids))
    return {
        r["id"]: {f.name: r[f.name] for f in fields if r[f.name] is not None}
        for r in records
    }


def without_sources(
    rows: Sequence[Values],
) -> tuple[Sequence[Values], dict[int, object]]:
    """The rows of a create without ``source_record_id``, and by index what it is where it is given."""
    sources = {
        index: row[SOURCE]
        for index, row in enumerate(rows)
        if row.get(SOURCE) not in (None, "")
    }
    if not any(SOURCE in row for row in rows):
        return rows, sources
    return [
        {name: value for name, value in row.items() if name != SOURCE} for row in rows
    ], sources


async def copy_sources(
    connection: Connection,
    caller: Caller,
    target: VaultObject,
    rows: Sequence[Row],
    sources: Mapping[int, object],
) -> None:
    """Give new rows the values of the records they are copies of, where they bring none of their own."""
    if not sources:
        return
    require(caller, target.name, Operation.READ)
    ids = {str(source) for source in sources.values() if "\x00" not in str(source)}
    found = await stored_values(connection, target, sorted(ids), copied_fields(target))
    for row in rows:
        if row.index not in sources:
            continue
        values = found.get(str(sources[row.index]))
        if values is None:
            row.fail(
                ErrorType.INVALID_DATA, f"[{SOURCE}] names no record of [{target.name}]"
            )
            continue
        row.values = {
            **{n: v for n, v in values.items() if n not in row.lookups},
            **row.values,
        }
