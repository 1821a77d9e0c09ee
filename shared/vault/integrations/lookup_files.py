"""Reads and writes reference lookups as files: each row creates or updates the lookup of its source key."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.protocol.csv_cells import read_cell, restorable_cell
from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation, require
from shared.vault.errors import ApiError
from shared.vault.integrations.reference_lookups import (
    CONNECTION,
    CONNECTION_API_NAME,
    KEY,
    NAME,
    OBJECT,
    SOURCE,
    TARGET,
    TARGET_OBJECT,
    TYPE,
    lookup_key,
    trim_keys,
)
from shared.vault.loader.extract import pages
from shared.vault.loader.sheet import cell
from shared.vault.records.rows import RowResult
from shared.vault.vql import literal

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.queries.queries import QueryService
    from shared.vault.records.record_service import RecordService

COLUMNS = (
    KEY,
    CONNECTION_API_NAME,
    NAME,
    TYPE,
    SOURCE,
    TARGET,
    TARGET_OBJECT,
    "target_key_field__sys",
    "status__v",
)
Row = Mapping[str, object]


def template() -> str:
    """Return the header of a file for ``upload``, without the key, which is derived from the other columns."""
    return _lines([[name for name in COLUMNS if name != KEY]])


@dataclass(frozen=True, slots=True)
class LookupFiles:
    """Reads and writes the reference lookups of a Vault as CSV files."""

    records: RecordService
    queries: QueryService

    async def download(
        self,
        caller: Caller,
        connection: str = "",
        named_by: str = CONNECTION_API_NAME,
    ) -> AsyncIterator[str]:
        """Yield the lookups of ``connection``, or of all connections if it is empty, as CSV for ``upload``.

        ``named_by`` is the field that contains ``connection``: ``CONNECTION_API_NAME``, or ``CONNECTION`` for its id.

        :raises VaultFault: INSUFFICIENT_ACCESS; and as ``QueryService.run`` does.
        """
        require(caller, OBJECT, Operation.READ)
        # PostgreSQL takes NUL in no text.
        wanted = literal(connection.replace("\x00", ""))
        where = f" WHERE {named_by} = {wanted}" if connection else ""
        statement = f"SELECT {', '.join(COLUMNS)} FROM {OBJECT}{where} ORDER BY {KEY}"
        first = True
        async for page in pages(self.queries, caller, statement):
            # With the first page, so that a refusal comes before the file begins.
            header = [COLUMNS] if first else []
            first = False
            yield _lines([*header, *(tuple(row.values()) for row in page.rows)])

    async def upload(
        self,
        caller: Caller,
        rows: Sequence[Row],
        connection: str = "",
    ) -> list[RowResult]:
        """Create or update a lookup for each row, by its connection, set and source key; return the result of each.

        Rows without a connection belong to ``connection``, an id.

        :raises VaultFault: for the rows as a whole, as ``RecordService.upsert`` does.
        """
        names = await self._connection_names(caller)
        whole = [_keyed(_read(row, connection), names) for row in rows]
        refused: dict[int, ApiError] = {}
        taken: set[object] = set()
        for place, row in enumerate(whole):
            problem = _problem(row, taken)
            if problem is not None:
                refused[place] = problem
            taken.add(row.get(KEY))
        accepted = [row for place, row in enumerate(whole) if place not in refused]
        # Without any row the records say what is missing.
        is_sent = bool(accepted) or not rows
        written = (
            await self.records.upsert(caller, OBJECT, accepted, KEY) if is_sent else []
        )
        left = iter(written)
        return [
            RowResult(errors=(refused[place],)) if place in refused else next(left)
            for place in range(len(rows))
        ]

    async def _connection_names(self, caller: Caller) -> dict[object, object]:
        """Return the API names of the connections by their ids."""
        names: dict[object, object] = {}
        statement = "SELECT id, api_name__sys FROM connection__sys"
        async for page in pages(self.queries, caller, statement):
            names.update((row["id"], row["api_name__sys"]) for row in page.rows)
        return names


def _read(row: Row, connection: str) -> dict[str, object]:
    """Return a row with decoded cells and trimmed keys; ``connection`` (an id) is set unless the row names one."""
    read = {
        name: read_cell(value) if isinstance(value, str) else value
        for name, value in row.items()
    }
    # Before the row is known by its source key.
    trim_keys(read)
    named = read.get(CONNECTION) or read.get(CONNECTION_API_NAME)
    if connection and not named:
        read.pop(CONNECTION_API_NAME, None)
        read[CONNECTION] = connection
    return read


def _keyed(row: dict[str, object], names: Mapping[object, object]) -> dict[str, object]:
    """Return a row with its key, if the row has all fields from which the key is derived."""
    connection = row.get(CONNECTION_API_NAME) or names.get(row.get(CONNECTION))
    parts = (connection, row.get(NAME), row.get(SOURCE))
    if row.get(KEY) or not all(parts):
        return row
    return {**row, KEY: lookup_key(*map(str, parts))}


def _problem(row: Row, taken: Iterable[object]) -> ApiError | None:
    """Return the error of a row without a key, or with a key in ``taken``, the keys of earlier rows; else None."""
    key = row.get(KEY)
    if not key:
        has_connection = row.get(CONNECTION) or row.get(CONNECTION_API_NAME)
        required = {CONNECTION: has_connection, NAME: row.get(NAME)}
        missing = [name for name, value in required.items() if not value]
        name = missing[0] if missing else SOURCE
        if row.get(SOURCE) and not missing:
            return ApiError(
                ErrorType.INVALID_DATA, f"[{CONNECTION}] names no connection"
            )
        message = f"Missing required parameter [{name}]"
        return ApiError(ErrorType.PARAMETER_REQUIRED, message)
    if key in taken:
        message = f"The file has an earlier row with this [{SOURCE}]"
        return ApiError(ErrorType.OPERATION_NOT_ALLOWED, message)
    return None


def _lines(rows: Iterable[Sequence[object]]) -> str:
    """Return rows as CSV; cells are escaped so that spreadsheets run no formula, and ``upload`` can read them back."""
    sheet = io.StringIO(newline="")
    writer = csv.writer(sheet, lineterminator="\r\n")
    for row in rows:
        writer.writerow(
            restorable_cell(value) if isinstance(value, str) else cell(value)
            for value in row
        )
    return sheet.getvalue()
