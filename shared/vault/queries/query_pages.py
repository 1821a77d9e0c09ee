"""Makes the pages of a query's result: rows ready for JSON, the data beside them, and cursors for later pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, assert_never
from uuid import UUID

import orjson

from shared.protocol.error_types import ErrorType
from shared.vault import vql
from shared.vault.access.permissions import Operation, may, may_set
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.model.component_model import VaultObject
    from shared.vault.storage.database import Database

CURSOR_HOURS = 72  # from the query or the last page asked for
MAX_POSITIONS = 1000  # pages whose place is stored; others are found by counting
STARTED = "started"


class RecordProperties(StrEnum):
    """The record properties that a caller can request."""

    ALL = "all"
    HIDDEN = "hidden"
    REDACTED = "redacted"
    WEBLINK = "weblink"


@dataclass(frozen=True, slots=True)
class Extras:
    """The data that a caller requests beside the rows; ``rows_at_most`` bounds a page beside the statement.

    A page that is not ``counted`` tells no number of all rows unless it is known anyway, and has no next page.
    """

    describe: bool = False
    properties: RecordProperties | None = None
    facets: tuple[str, ...] = ()
    rows_at_most: int | None = None
    counted: bool = True

    def bounded(self, pagesize: int) -> int:
        """Return the rows of a page for which the statement has ``pagesize``."""
        if self.rows_at_most is None:
            return pagesize
        return min(pagesize, self.rows_at_most)


@dataclass(slots=True)
class QueryPage:
    """One page of rows, JSON-ready, with the values of its ``responseDetails``.

    The total of a page that is not ``counted`` is that of the rows until its end; more may follow.
    """

    rows: list[dict[str, Any]]
    pagesize: int
    pageoffset: int
    size: int
    total: int
    counted: bool = True
    next_page: str | None = None
    previous_page: str | None = None
    find: str | None = None
    source: VaultObject | None = None
    describe: dict[str, Any] | None = None
    record_properties: list[dict[str, Any]] | None = None
    facets: list[dict[str, Any]] | None = None


def page_of(
    compiled: vql.CompiledQuery,
    rows: Sequence[Record],
    pagesize: int,
    pageoffset: int,
) -> QueryPage:
    """Return the page of these rows of a compiled statement; its total counts this page only."""
    keys = compiled.keys
    # A row has one column more than there are keys: the record's id, for the next page.
    data = [dict(zip(keys, row, strict=False)) for row in rows]
    for key in compiled.json_keys:
        for item in data:
            text = item[key]
            # The database has made JSON of it already: it goes into the answer as it is.
            item[key] = None if text is None else orjson.Fragment(text)
    return QueryPage(
        rows=data,
        pagesize=pagesize,
        pageoffset=pageoffset,
        size=len(data),
        total=len(data),
        find=compiled.find,
        source=compiled.source,
    )


def link(page: QueryPage, address: str) -> None:
    """Set the addresses of the previous and the next page."""
    size = page.pagesize
    following = page.pageoffset + page.size
    is_full = page.size > 0 and page.size == size
    if is_full and following < page.total:
        page.next_page = _page_address(address, size, following)
    if page.pageoffset > 0 and size:
        before = max(0, page.pageoffset - size)
        page.previous_page = _page_address(address, size, before)


def _page_address(
    address: str,
    pagesize: int,
    pageoffset: int,
) -> str:
    return f"{address}?pagesize={pagesize}&pageoffset={pageoffset}"


def has_more_children(compiled: vql.CompiledQuery, rows: Sequence[Record]) -> bool:
    """Return whether a sub-select of any row has the address of a further page."""
    numbers = [
        number
        for number, column in enumerate(compiled.columns)
        if isinstance(column, vql.SubSelectColumn)
    ]
    return any(_names_next_page(row[number]) for number in numbers for row in rows)


def _names_next_page(text: str) -> bool:
    """Return whether the JSON text of a sub-select's result has a next page."""
    # It begins with responseDetails: behind the first brace stand records, whose values may say anything.
    details_end = text.index("}")
    found = text.find('"next_page"', 0, details_end)
    return found >= 0


# What is said about records beside their values


def record_properties(
    caller: Caller,
    compiled: vql.CompiledQuery,
    rows: Sequence[Record],
    properties: RecordProperties,
    *,
    stored: bool,
) -> list[dict[str, Any]]:
    """Return an entry for each row: the fields that the caller may edit, and the operations on the record.

    ``stored`` is False for targets that are not objects, whose records may only be read.
    """
    operations = (Operation.EDIT, Operation.CREATE, Operation.DELETE)
    name = compiled.object_name
    permissions = {Operation.READ.value: True}
    for operation in operations:
        allowed = stored and may(caller, name, operation)
        permissions[operation.value] = allowed
    may_edit = permissions[Operation.EDIT.value]
    editable = _editable(caller, compiled) if may_edit else []
    shared: dict[str, Any] = {
        "field_properties": _field_properties(properties, editable),
        "field_additional_data": {"web_link": []},
    }
    if properties is RecordProperties.ALL:
        shared |= {"permissions": permissions, "subquery_properties": {}}
    return [{"id": row[-1], **shared} for row in rows]


def _field_properties(
    properties: RecordProperties, editable: list[str]
) -> dict[str, list[str]]:
    """Return property → the fields that have it."""
    # No field of a record is hidden from, or redacted for, a caller who may read its object, and none is a web link.
    match properties:
        case RecordProperties.ALL:
            return {"hidden": [], "redacted": [], "edit": editable}
        case RecordProperties.HIDDEN:
            return {"hidden": []}
        case RecordProperties.REDACTED:
            return {"redacted": []}
        case RecordProperties.WEBLINK:
            return {}
        case _:
            assert_never(properties)


def _editable(caller: Caller, compiled: vql.CompiledQuery) -> list[str]:
    """Return the selected fields of the object itself that the caller may set, each once."""
    columns = [each for each in compiled.columns if isinstance(each, vql.Column)]
    fields = [column.field for column in columns if column.own]
    name = compiled.object_name
    settable = [field.name for field in fields if may_set(caller, name, field)]
    return list(dict.fromkeys(settable))


def facet_json(facet: vql.Facet, rows: Sequence[Record]) -> dict[str, Any]:
    """Return one element of ``facets``, from the rows of its statement."""
    count: int = rows[0]["count"] if rows else 0
    return {
        "label": facet.field.label,
        "type": facet.field.type.value,
        "name": facet.field.name,
        "count": count,
        "truncated_list": count > len(rows),
        "values": [_facet_value(row) for row in rows],
    }


def _facet_value(row: Record) -> dict[str, Any]:
    return {"value": row["value"], "result_count": row["result_count"]}


# Cursors: what later pages need, in the database so that any process can serve them


@dataclass(frozen=True, slots=True)
class Cursor:
    """A query whose pages are being read: its text, the size of its result, its first run, and the starts of its pages.

    ``positions`` maps the offset of a page to the last record id of the page before it, for the pages served so far.
    """

    id: UUID
    query: str
    total: int
    started: datetime
    positions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ChildPage:
    """The children on a page: those of one record, in the sub-select with this number."""

    number: int
    parent_id: str


def no_such_page() -> VaultFault:
    """Return the error for an address that belongs to no page."""
    return VaultFault(ErrorType.INVALID_DATA, "There is no such query page")


def read_address(address: str) -> tuple[UUID, ChildPage | None]:
    """Return a cursor's id, and the children behind it: ``{uuid}`` or ``{uuid}.{number}.{record id}``.

    :raises VaultFault: INVALID_DATA when the address has neither form.
    """
    identifier, _, rest = address.partition(".")
    number, _, parent_id = rest.partition(".")
    try:
        child = ChildPage(int(number), parent_id) if rest else None
        return UUID(identifier), child
    except ValueError as error:
        raise no_such_page() from error


class CursorStore:
    """Stores the cursors of a Vault; each belongs to the user who ran the query."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(self, caller: Caller, cursor: Cursor) -> None:
        """Store a new cursor."""
        positions = _positions_json(cursor, cursor.positions)
        async with self._database.connection() as connection:
            await connection.execute(
                "INSERT INTO platform.query_cursor (id, user_id, query, total, positions)"
                " VALUES ($1, $2, $3, $4, $5::jsonb)",
                cursor.id,
                caller.user_id,
                cursor.query,
                cursor.total,
                positions,
            )

    async def purge(self) -> None:
        """Delete the cursors that are too old to be found."""
        async with self._database.connection() as connection:
            await connection.execute(
                "DELETE FROM platform.query_cursor WHERE created_date < now() - $1 * interval '1 hour'",
                CURSOR_HOURS,
            )

    async def find(self, caller: Caller, identifier: UUID) -> Cursor:
        """Return the cursor with this id.

        :raises VaultFault: INVALID_DATA when the cursor is not the caller's, or has expired.
        """
        async with self._database.connection() as connection:
            row = await connection.fetchrow(
                "SELECT query, total, positions, created_date FROM platform.query_cursor"
                " WHERE id = $1 AND user_id = $2 AND created_date > now() - $3 * interval '1 hour'",
                identifier,
                caller.user_id,
                CURSOR_HOURS,
            )
        if row is None:
            raise no_such_page()
        positions = orjson.loads(row["positions"])
        started = positions.pop(STARTED, None)
        # A cursor without a moment of its own began when it was stored.
        moment = row["created_date"]
        if started is not None:
            moment = datetime.fromisoformat(started)
        return Cursor(identifier, row["query"], row["total"], moment, positions)

    async def keep(self, cursor: Cursor, following: Mapping[str, str]) -> None:
        """Record that a page was served: restart the cursor's time, and store the positions of ``following`` pages."""
        # Beyond the limit the places begin anew: the row stays small, and earlier pages are found by counting.
        known = cursor.positions
        if len(known) >= MAX_POSITIONS:
            known = {}
        every = {**known, **following}
        positions = _positions_json(cursor, every)
        async with self._database.connection() as connection:
            await connection.execute(
                "UPDATE platform.query_cursor SET created_date = now(), positions = $2::jsonb WHERE id = $1",
                cursor.id,
                positions,
            )


def _positions_json(cursor: Cursor, positions: Mapping[str, str]) -> str:
    """Return the positions of pages as JSON, with the moment of the query, which has no column of its own."""
    document = {STARTED: cursor.started.isoformat(), **positions}
    return orjson.dumps(document).decode()
