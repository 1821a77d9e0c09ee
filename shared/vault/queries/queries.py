"""Queries: VQL run for a caller, page by page; a cursor holds what later pages need."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import asyncpg

from shared.protocol.error_types import ErrorType
from shared.vault import vql
from shared.vault.access.permissions import Operation, require
from shared.vault.errors import VaultFault
from shared.vault.model.component_model import FieldType
from shared.vault.queries.query_pages import (
    Cursor,
    CursorStore,
    Extras,
    QueryPage,
    facet_json,
    has_more_children,
    link,
    page_of,
    read_address,
    record_properties,
)
from shared.vault.queries.query_statements import Statements, fault_of

MAX_WAITING = 500  # queries of one user


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """How many queries of a user run at once, how long another one waits, and how long one may take in seconds."""

    concurrent: int = 5
    wait_seconds: float = 30.0
    timeout_seconds: float = 60.0  # of the database's statements; named in the error


@dataclass(slots=True)
class _Slots:
    free: asyncio.Semaphore
    users: int = 0  # queries that run or wait


@dataclass(slots=True)
class QuerySlots:
    """The slots of every user who has a query now."""

    limits: QueryLimits
    _by_user: dict[int, _Slots] = field(default_factory=dict)

    @asynccontextmanager
    async def slot(self, user_id: int) -> AsyncIterator[None]:
        """Hold one of the user's slots for the block; raises VaultFault API_LIMIT_EXCEEDED when none comes free."""
        slots = self._by_user.setdefault(
            user_id, _Slots(asyncio.Semaphore(self.limits.concurrent))
        )
        if slots.users >= self.limits.concurrent + MAX_WAITING:
            raise self._exceeded()
        slots.users += 1
        try:
            try:
                async with asyncio.timeout(self.limits.wait_seconds):
                    await slots.free.acquire()
            except TimeoutError:
                raise self._exceeded() from None
            try:
                yield
            finally:
                slots.free.release()
        finally:
            slots.users -= 1
            if not slots.users:
                self._by_user.pop(user_id, None)

    def _exceeded(self) -> VaultFault:
        message = f"At most {self.limits.concurrent} queries of a user run at once; try again when one has ended"
        return VaultFault(ErrorType.API_LIMIT_EXCEEDED, message)


if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.storage.database import Database

__all__ = ["Extras", "QueryPage", "QueryService", "query_tokens"]

RECORD_ID = re.compile(r"[A-Za-z0-9]{1,40}\Z")
WHOLE = {FieldType.LONG_TEXT: "LONGTEXT", FieldType.RICH_TEXT: "RICHTEXT"}


def query_tokens(vault_id: int, name: str, dns: str) -> Mapping[str, str | int]:
    """The values of the Vault tokens that are the same for every caller."""
    return {"vault.id": vault_id, "vault.name": name, "vault.dns": dns}


class QueryService:
    """The query calls of the API. ``tokens`` are those that are the same for every caller."""

    def __init__(
        self,
        database: Database,
        components: ComponentService,
        tokens: Mapping[str, str | int] | None = None,
        limits: QueryLimits | None = None,
    ) -> None:
        self._database = database
        self._components = components
        self.cursors = CursorStore(database)
        self._tokens = {name: kind() for name, kind in vql.TOKENS.items()} | dict(
            tokens or {}
        )
        self._limits = limits or QueryLimits()
        self._slots = QuerySlots(self._limits)
        self._statements = Statements(components)

    async def run(
        self,
        caller: Caller,
        text: str,
        *,
        version_path: str,
        describe: bool = False,
        extras: Extras | None = None,
    ) -> QueryPage:
        """The first page of a statement; raises VaultFault with the place of a fault in the text."""
        asked = extras or Extras(describe=describe)
        async with self._slots.slot(caller.user_id):
            return await self._components.unless_changed(
                lambda: self._first_page(caller, text, version_path, asked)
            )

    async def _first_page(
        self, caller: Caller, text: str, version_path: str, asked: Extras
    ) -> QueryPage:
        compiled = self._statements.statement(caller, text)
        if isinstance(compiled, vql.Show):
            return self._statements.shown(caller, compiled, describe=asked.describe)
        cursor = Cursor(uuid4(), text, 0, datetime.now(UTC), {})
        execution = self._execution(caller, cursor, version_path)
        rows = await self._fetch(
            compiled, execution, compiled.pagesize, compiled.pageoffset, None
        )
        page = page_of(compiled, rows, compiled.pagesize, compiled.pageoffset)
        page.total = await self._total(compiled, execution, page)
        link(page, execution.address)
        if page.next_page or page.previous_page or has_more_children(compiled, rows):
            positions = (
                {str(page.pageoffset + page.size): rows[-1][-1]}
                if page.next_page
                else {}
            )
            await self.cursors.open(
                caller, Cursor(cursor.id, text, page.total, cursor.started, positions)
            )
        return await self._completed(caller, compiled, execution, page, rows, asked)

    async def page(
        self,
        caller: Caller,
        address: str,
        pagesize: int | None,
        pageoffset: int,
        version_path: str,
        extras: Extras | None = None,
    ) -> QueryPage:
        """A later page; stable while records change, unless the statement has an order of its own."""
        asked = extras or Extras()
        async with self._slots.slot(caller.user_id):
            return await self._components.unless_changed(
                lambda: self._later_page(
                    caller, address, pagesize, pageoffset, version_path, asked
                )
            )

    async def _later_page(
        self,
        caller: Caller,
        address: str,
        pagesize: int | None,
        pageoffset: int,
        version_path: str,
        asked: Extras,
    ) -> QueryPage:
        identifier, child = read_address(address)
        cursor = await self.cursors.find(caller, identifier)
        execution = self._execution(caller, cursor, version_path)
        compiled = self._statements.query(caller, cursor.query)
        if child is not None:
            compiled = self._statements.children(caller, compiled, child)
        size = (
            compiled.pagesize if pagesize is None else min(pagesize, compiled.pagesize)
        )
        after = (
            cursor.positions.get(str(pageoffset))
            if compiled.keyset and child is None
            else None
        )
        rows = await self._fetch(compiled, execution, size, pageoffset, after)
        page = page_of(compiled, rows, size, pageoffset)
        if child is None:
            page.total = max(cursor.total, pageoffset + page.size)
        else:
            page.total = await self._total(compiled, execution, page)
        link(page, f"/api/{version_path}/query/{address}")
        begins = (
            (pageoffset + page.size, rows[-1][-1])
            if page.next_page and child is None
            else None
        )
        await self.cursors.keep(cursor, begins)
        return await self._completed(caller, compiled, execution, page, rows, asked)

    async def record(
        self, caller: Caller, object_name: str, record_id: str
    ) -> dict[str, Any]:
        """One record with all its fields, as ``GET /vobjects/{object}/{id}`` shows it; raises VaultFault."""
        return await self._components.unless_changed(
            lambda: self._whole_record(caller, object_name, record_id)
        )

    async def _whole_record(
        self, caller: Caller, object_name: str, record_id: str
    ) -> dict[str, Any]:
        target = self._components.registry.objects.get(object_name)
        if target is None:
            raise VaultFault(
                ErrorType.INVALID_DATA, f"There is no object [{object_name[:100]}]"
            )
        require(caller, object_name, Operation.READ)
        active = [f for f in target.fields.values() if f.active]
        fields = (
            f"{WHOLE[f.type]}({f.name})" if f.type in WHOLE else f.name for f in active
        )
        # An id of another form names no record; it must not reach the text.
        known = record_id if RECORD_ID.match(record_id) else ""
        compiled = self._statements.query(
            caller,
            f"SELECT {', '.join(fields)} FROM {object_name} WHERE id = '{known}'",
        )
        rows = await self._fetch(compiled, None, 1, 0, None)
        if not rows:
            raise VaultFault(
                ErrorType.INVALID_DATA,
                f"The resource [{record_id[:100]}] does not exist",
            )
        record = page_of(compiled, rows, 1, 0).rows[0]
        # Lists here, strings in query rows: clients rely on both (API reference, 2.2 and 3.2).
        return record | {
            name: [record[name]]
            for name in ("state__v", "lifecycle__v")
            if record.get(name)
        }

    def _execution(
        self, caller: Caller, cursor: Cursor, version_path: str
    ) -> vql.Execution:
        """One run: the moment is that of the first page, whichever page it is for."""
        own = {
            "user.id": caller.user_id,
            "user.name": caller.username,
            "user.security_profile": caller.profile.name,
        }
        return vql.Execution(
            cursor.started, self._tokens | own, f"/api/{version_path}/query/{cursor.id}"
        )

    async def _fetch(
        self,
        compiled: vql.CompiledQuery,
        execution: vql.Execution | None,
        pagesize: int,
        pageoffset: int,
        after: str | None,
    ) -> Sequence[Record]:
        sql, parameters = compiled.page(pagesize, pageoffset, after)
        return await self._rows(
            sql, parameters, execution if compiled.deferred else None
        )

    async def _rows(
        self, sql: str, parameters: Sequence[object], execution: vql.Execution | None
    ) -> Sequence[Record]:
        if execution is not None:
            parameters = vql.resolve(parameters, execution)
        async with self._database.connection() as connection:
            try:
                return await connection.fetch(sql, *parameters)
            except (asyncpg.QueryCanceledError, TimeoutError) as error:
                message = f"The query was stopped after {self._limits.timeout_seconds:g} seconds [query timeout]"
                raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message) from error

    async def _total(
        self, compiled: vql.CompiledQuery, execution: vql.Execution, page: QueryPage
    ) -> int:
        """Rows of the whole result; counted only when the page does not tell."""
        if page.size < page.pagesize and (page.size or not page.pageoffset):
            return page.pageoffset + page.size
        counted = execution if compiled.deferred else None
        rows = await self._rows(compiled.count_sql, compiled.count_parameters, counted)
        total: int = rows[0][0]
        return total

    async def _completed(
        self,
        caller: Caller,
        compiled: vql.CompiledQuery,
        execution: vql.Execution,
        page: QueryPage,
        rows: Sequence[Record],
        asked: Extras,
    ) -> QueryPage:
        """The page with what was asked for beside its rows."""
        if asked.describe:
            page.describe = vql.describe(compiled)
        if asked.properties is not None:
            stored = self._statements.is_object(compiled.object_name)
            page.record_properties = record_properties(
                caller, compiled, rows, asked.properties, stored=stored
            )
        if asked.facets:
            try:
                facets = vql.facets_of(compiled, asked.facets)
            except vql.VqlError as error:
                raise fault_of(error) from error
            counted = execution if compiled.deferred else None
            page.facets = [
                facet_json(f, await self._rows(f.sql, f.parameters, counted))
                for f in facets
            ]
        return page
