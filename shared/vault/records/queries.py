"""Queries: VQL run for a caller, page by page; a cursor holds what later pages need."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import orjson

from shared.vault import vql
from shared.vault.components.model import FieldType
from shared.vault.errors import ErrorType, VaultFault
from shared.vault.security.permissions import Operation, readable, require

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.components.registry import Registry
    from shared.vault.security.caller import Caller
    from shared.vault.storage.components import ComponentService
    from shared.vault.storage.database import Database

CURSOR_HOURS = 72
RECORD_ID = re.compile(r"[A-Za-z0-9]{1,40}\Z")
LONG = (FieldType.LONG_TEXT, FieldType.RICH_TEXT)
COMPILED_KEPT = 256
COMPILED_TEXT = 2_000  # longer texts are id lists, seldom seen twice


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
    describe: dict[str, Any] | None = None


class QueryService:
    """The query calls of the API."""

    def __init__(self, database: Database, components: ComponentService) -> None:
        self._database = database
        self._components = components
        self._compiled: OrderedDict[tuple[str, str], vql.CompiledQuery] = OrderedDict()
        self._compiled_of: Registry | None = None

    async def run(self, caller: Caller, text: str, *, describe: bool, version_path: str) -> QueryPage:
        """The first page of a statement; raises VaultFault with the place of a fault in the text."""
        return await self._components.unless_changed(lambda: self._first_page(caller, text, describe, version_path))

    async def _first_page(self, caller: Caller, text: str, describe: bool, version_path: str) -> QueryPage:
        compiled = self._compile(caller, text)
        rows = await self._fetch(compiled, compiled.pagesize, compiled.pageoffset, None)
        page = _page(compiled, rows, compiled.pagesize, compiled.pageoffset)
        page.total = await self._total(compiled, page)
        if describe:
            page.describe = vql.describe(compiled)
        if compiled.pageoffset + page.size < page.total and page.size:
            cursor = await self._open_cursor(caller, text, page, rows)
            page.next_page = _page_url(version_path, cursor, page.pagesize, compiled.pageoffset + page.size)
        return page

    async def page(
        self, caller: Caller, cursor_id: str, pagesize: int | None, pageoffset: int, version_path: str
    ) -> QueryPage:
        """A later page; stable while records change, unless the statement has an order of its own."""
        return await self._components.unless_changed(
            lambda: self._later_page(caller, cursor_id, pagesize, pageoffset, version_path)
        )

    async def _later_page(
        self, caller: Caller, cursor_id: str, pagesize: int | None, pageoffset: int, version_path: str
    ) -> QueryPage:
        cursor = await self._cursor(caller, cursor_id)
        compiled = self._compile(caller, cursor["query"])
        size = min(pagesize or compiled.pagesize, compiled.pagesize)
        after = orjson.loads(cursor["positions"]).get(str(pageoffset)) if compiled.keyset else None
        rows = await self._fetch(compiled, size, pageoffset, after)
        page = _page(compiled, rows, size, pageoffset)
        page.total = max(cursor["total"], pageoffset + page.size)
        following = pageoffset + page.size
        if following < page.total and page.size == size:
            page.next_page = _page_url(version_path, cursor_id, size, following)
            await self._remember(cursor_id, following, rows)
        if pageoffset > 0:
            page.previous_page = _page_url(version_path, cursor_id, size, max(0, pageoffset - size))
        return page

    async def record(self, caller: Caller, object_name: str, record_id: str) -> dict[str, Any]:
        """One record with all its fields, as ``GET /vobjects/{object}/{id}`` shows it; raises VaultFault."""
        return await self._components.unless_changed(lambda: self._whole_record(caller, object_name, record_id))

    async def _whole_record(self, caller: Caller, object_name: str, record_id: str) -> dict[str, Any]:
        target = self._components.registry.objects.get(object_name)
        if target is None:
            raise VaultFault(ErrorType.INVALID_DATA, f"There is no object [{object_name[:100]}]")
        require(caller, object_name, Operation.READ)
        fields = (f"LONGTEXT({f.name})" if f.type in LONG else f.name for f in target.fields.values() if f.active)
        # An id of another form names no record; it must not reach the text.
        known = record_id if RECORD_ID.match(record_id) else ""
        compiled = self._compile(caller, f"SELECT {', '.join(fields)} FROM {object_name} WHERE id = '{known}'")
        rows = await self._fetch(compiled, 1, 0, None)
        if not rows:
            raise VaultFault(ErrorType.INVALID_DATA, f"The resource [{record_id[:100]}] does not exist")
        record = _page(compiled, rows, 1, 0).rows[0]
        # Lists here, strings in query rows: clients rely on both (API reference, 2.2 and 3.2).
        return record | {name: [record[name]] for name in ("state__v", "lifecycle__v") if record.get(name)}

    def _compile(self, caller: Caller, text: str) -> vql.CompiledQuery:
        registry = self._components.registry
        if self._compiled_of is not registry:
            self._compiled, self._compiled_of = OrderedDict(), registry
        key = (caller.profile.value, text)
        if key in self._compiled:
            self._compiled.move_to_end(key)
            return self._compiled[key]
        try:
            compiled = vql.compile_query(vql.parse(text), registry, readable(caller))
        except vql.VqlError as error:
            raise VaultFault(ErrorType(error.type), error.message) from error
        if len(text) <= COMPILED_TEXT:
            self._compiled[key] = compiled
            if len(self._compiled) > COMPILED_KEPT:
                self._compiled.popitem(last=False)
        return compiled

    async def _fetch(
        self, compiled: vql.CompiledQuery, pagesize: int, pageoffset: int, after: str | None
    ) -> Sequence[Record]:
        sql, parameters = compiled.page(pagesize, pageoffset, after)
        async with self._database.connection() as connection:
            return await connection.fetch(sql, *parameters)

    async def _total(self, compiled: vql.CompiledQuery, page: QueryPage) -> int:
        """Rows of the whole result; counted only when the first page does not hold them all."""
        if page.size < page.pagesize and (page.size or not page.pageoffset):
            return page.pageoffset + page.size
        async with self._database.connection() as connection:
            total: int = await connection.fetchval(compiled.count_sql, *compiled.count_parameters)
        return total

    async def _open_cursor(self, caller: Caller, text: str, page: QueryPage, rows: Sequence[Record]) -> str:
        cursor_id = uuid4()
        positions = orjson.dumps({str(page.pageoffset + page.size): rows[-1][-1]}).decode()
        async with self._database.connection() as connection:
            await connection.execute(
                "DELETE FROM platform.query_cursor WHERE created_date < now() - $1 * interval '1 hour'", CURSOR_HOURS
            )
            await connection.execute(
                "INSERT INTO platform.query_cursor (id, user_id, query, total, positions)"
                " VALUES ($1, $2, $3, $4, $5::jsonb)",
                cursor_id,
                caller.user_id,
                text,
                page.total,
                positions,
            )
        return str(cursor_id)

    async def _cursor(self, caller: Caller, cursor_id: str) -> Record:
        try:
            identifier = UUID(cursor_id)
        except ValueError as error:
            raise VaultFault(ErrorType.INVALID_DATA, "There is no such query page") from error
        async with self._database.connection() as connection:
            cursor = await connection.fetchrow(
                "SELECT query, total, positions FROM platform.query_cursor"
                " WHERE id = $1 AND user_id = $2 AND created_date > now() - $3 * interval '1 hour'",
                identifier,
                caller.user_id,
                CURSOR_HOURS,
            )
        if cursor is None:
            raise VaultFault(ErrorType.INVALID_DATA, "There is no such query page")
        return cursor

    async def _remember(self, cursor_id: str, offset: int, rows: Sequence[Record]) -> None:
        """Keep where the next page begins."""
        async with self._database.connection() as connection:
            await connection.execute(
                "UPDATE platform.query_cursor SET positions = positions || jsonb_build_object($2::text, $3::text)"
                " WHERE id = $1",
                UUID(cursor_id),
                str(offset),
                rows[-1][-1],
            )


def _page(compiled: vql.CompiledQuery, rows: Sequence[Record], pagesize: int, pageoffset: int) -> QueryPage:
    keys = compiled.keys
    data = [dict(zip(keys, row, strict=False)) for row in rows]
    for key in compiled.json_keys:
        for item in data:
            item[key] = orjson.Fragment(item[key])
    return QueryPage(rows=data, pagesize=pagesize, pageoffset=pageoffset, size=len(data), total=len(data))


def _page_url(version_path: str, cursor_id: str, pagesize: int, pageoffset: int) -> str:
    return f"/api/{version_path}/query/{cursor_id}?pagesize={pagesize}&pageoffset={pageoffset}"
