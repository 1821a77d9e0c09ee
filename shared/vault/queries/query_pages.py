"""One page of a query's answer: its rows ready for JSON, and the addresses of the pages beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson

from shared.protocol.error_types import ErrorType
from shared.vault import vql
from shared.vault.access.permissions import Operation, may
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.storage.database import Database

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.model.component_model import VaultObject


@dataclass(frozen=True, slots=True)
class Extras:
    """What a caller wants to know beside the rows."""

    describe: bool = False
    properties: RecordProperties | None = None
    facets: tuple[str, ...] = ()


@dataclass(slots=True)
class QueryPage:
    """One page of rows, JSON-ready, with what ``responseDetails`` says about it."""

    rows: list[dict[str, Any]]
    pagesize: int
    pageoffset: int
    size: int
    total: int
    next_page: str | None = None
    previous_page: str | None = None
    find: str | None = None
    source: VaultObject | None = None
    describe: dict[str, Any] | None = None
    record_properties: list[dict[str, Any]] | None = None
    facets: list[dict[str, Any]] | None = None


def page_of(
    compiled: vql.CompiledQuery, rows: Sequence[Record], pagesize: int, pageoffset: int
) -> QueryPage:
    """The page that these rows of a compiled statement make; its total is yet to be told."""
    keys = compiled.keys
    data = [dict(zip(keys, row, strict=False)) for row in rows]
    for key in compiled.json_keys:
        for item in data:
            if item[key] is not None:
                item[key] = orjson.Fragment(item[key])
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
    """Say where the pages before and behind this one are."""
    following = page.pageoffset + page.size
    if page.size and page.size == page.pagesize and following < page.total:
        page.next_page = f"{address}?pagesize={page.pagesize}&pageoffset={following}"
    if page.pageoffset > 0 and page.pagesize:
        before = max(0, page.pageoffset - page.pagesize)
        page.previous_page = f"{address}?pagesize={page.pagesize}&pageoffset={before}"


def has_more_children(compiled: vql.CompiledQuery, rows: Sequence[Record]) -> bool:
    """Whether a sub-select of any row names a page of its own, in the ``responseDetails`` that it begins with."""
    for number, column in enumerate(compiled.columns):
        if isinstance(column, vql.SubSelectColumn):
            for row in rows:
                text: str = row[number]
                if text.find('"next_page"', 0, text.index("}")) >= 0:
                    return True
    return False


CURSOR_HOURS = 72  # from the query or the last page asked for


MAX_POSITIONS = 1000  # pages whose place is kept; others are found by counting


STARTED = "started"


@dataclass(frozen=True, slots=True)
class Cursor:
    """A query under way: its text, the rows of its result, when it was first run, and where its pages begin.

    ``positions`` holds the last record id of each page served so far, by the offset that follows it.
    """

    id: UUID
    query: str
    total: int
    started: datetime
    positions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ChildPage:
    """Which children a page is of: those of one record, by the number of the sub-select that shows them."""

    number: int
    parent_id: str


def no_such_page() -> VaultFault:
    """The error about an address that no page gave."""
    return VaultFault(ErrorType.INVALID_DATA, "There is no such query page")


def read_address(address: str) -> tuple[UUID, ChildPage | None]:
    """A cursor's id, and the children it is followed by: ``{uuid}`` or ``{uuid}.{number}.{record id}``."""
    identifier, _, rest = address.partition(".")
    number, _, parent_id = rest.partition(".")
    try:
        child = ChildPage(int(number), parent_id) if rest else None
        return UUID(identifier), child
    except ValueError as error:
        raise no_such_page() from error


class CursorStore:
    """The cursors of a Vault; each belongs to the user who ran the query."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(self, caller: Caller, cursor: Cursor) -> None:
        """Keep a new cursor."""
        positions = {STARTED: cursor.started.isoformat(), **cursor.positions}
        async with self._database.connection() as connection:
            await connection.execute(
                "INSERT INTO platform.query_cursor (id, user_id, query, total, positions)"
                " VALUES ($1, $2, $3, $4, $5::jsonb)",
                cursor.id,
                caller.user_id,
                cursor.query,
                cursor.total,
                orjson.dumps(positions).decode(),
            )

    async def purge(self) -> None:
        """Forget the cursors that are too old to be found."""
        async with self._database.connection() as connection:
            await connection.execute(
                "DELETE FROM platform.query_cursor WHERE created_date < now() - $1 * interval '1 hour'",
                CURSOR_HOURS,
            )

    async def find(self, caller: Caller, identifier: UUID) -> Cursor:
        """The cursor with this id; raises VaultFault INVALID_DATA unless it is the caller's and not too old."""
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
        moment = (
            row["created_date"] if started is None else datetime.fromisoformat(started)
        )
        return Cursor(identifier, row["query"], row["total"], moment, positions)

    async def keep(self, cursor: Cursor, following: tuple[int, str] | None) -> None:
        """Note that a page was served: its time starts anew, and the page behind it begins after an id."""
        added = {} if following is None else {str(following[0]): following[1]}
        kept = {} if len(cursor.positions) >= MAX_POSITIONS else cursor.positions
        positions = {STARTED: cursor.started.isoformat(), **kept, **added}
        async with self._database.connection() as connection:
            await connection.execute(
                "UPDATE platform.query_cursor SET created_date = now(), positions = $2::jsonb WHERE id = $1",
                cursor.id,
                orjson.dumps(positions).decode(),
            )


class RecordProperties(StrEnum):
    """Which record properties are asked for."""

    ALL = "all"
    HIDDEN = "hidden"
    REDACTED = "redacted"
    WEBLINK = "weblink"


def record_properties(
    caller: Caller,
    compiled: vql.CompiledQuery,
    rows: Sequence[Record],
    asked: RecordProperties,
    *,
    stored: bool,
) -> list[dict[str, Any]]:
    """One entry a row: fields that the caller may edit, and what the caller may do with the record.

    No field of a record is hidden from, or redacted for, a caller who may read its object, and none is a web link.
    ``stored`` is False for targets that are no objects: those may be read only.
    """
    permissions = {
        operation.value: stored and may(caller, compiled.object_name, operation)
        for operation in (
            Operation.READ,
            Operation.EDIT,
            Operation.CREATE,
            Operation.DELETE,
        )
    }
    permissions[Operation.READ.value] = True
    fields: dict[str, list[str]] = {}
    if asked in (RecordProperties.ALL, RecordProperties.HIDDEN):
        fields["hidden"] = []
    if asked in (RecordProperties.ALL, RecordProperties.REDACTED):
        fields["redacted"] = []
    if asked is RecordProperties.ALL:
        fields["edit"] = (
            _editable(compiled) if permissions[Operation.EDIT.value] else []
        )
    shared: dict[str, Any] = {
        "field_properties": fields,
        "field_additional_data": {"web_link": []},
    }
    if asked is RecordProperties.ALL:
        shared |= {"permissions": permissions, "subquery_properties": {}}
    return [{"id": row[-1], **shared} for row in rows]


def _editable(compiled: vql.CompiledQuery) -> list[str]:
    columns = [
        column
        for column in compiled.columns
        if isinstance(column, vql.Column) and column.own
    ]
    return list(
        dict.fromkeys(
            c.field.name for c in columns if c.field.editable and not c.field.system
        )
    )


def facet_json(facet: vql.Facet, rows: Sequence[Record]) -> dict[str, Any]:
    """One element of ``facets``, from the rows of its statement."""
    count: int = rows[0]["count"] if rows else 0
    return {
        "label": facet.field.label,
        "type": facet.field.type.value,
        "name": facet.field.name,
        "count": count,
        "truncated_list": count > len(rows),
        "values": [
            {"value": row["value"], "result_count": row["result_count"]} for row in rows
        ],
    }
