"""Runs VQL for a caller, page by page."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import orjson

from shared.protocol.error_types import ErrorType
from shared.vault import vql
from shared.vault.access.permissions import Operation, require
from shared.vault.components.platform import MODIFIED_DATE
from shared.vault.errors import VaultFault
from shared.vault.queries.cursors import Cursor, CursorStore, read_address
from shared.vault.queries.query_pages import (
    Extras,
    QueryPage,
    Statements,
    facet_json,
    fault_of,
    has_more_children,
    link,
    page_of,
    record_properties,
    unless_changed,
)
from shared.vault.records.record_roles import STORED_JSON

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.configuration.list_indexes import ListedConditions
    from shared.vault.configuration.order_indexes import OrderedFields
    from shared.vault.storage.database import Connection, Database

__all__ = ["Extras", "QueryPage", "QueryService"]

# Rows before a page, from which on it is found from the end of the result if that is nearer.
FAR = 1_000
RECORD_ID = re.compile(r"[A-Za-z0-9]{1,40}\Z")


@dataclass(frozen=True, slots=True)
class _Run:
    """One run of a statement for a call; ``extras`` are the data that the caller requests besides the rows."""

    connection: Connection
    caller: Caller
    compiled: vql.CompiledQuery
    execution: vql.Execution
    extras: Extras


class QueryService:
    """Carries out the query calls of the API; ``tokens`` are the Vault tokens that are the same for every caller.

    ``ordered_fields`` notes the fields that many records are ordered by, ``listed_conditions`` the conditions of lists.
    """

    def __init__(
        self,
        database: Database,
        components: ComponentService,
        tokens: Mapping[str, str | int] | None = None,
        ordered_fields: OrderedFields | None = None,
        listed_conditions: ListedConditions | None = None,
    ) -> None:
        self._database = database
        self._components = components
        self._ordered_fields = ordered_fields
        self._listed_conditions = listed_conditions
        self.cursors = CursorStore(database)
        empty = {name: kind() for name, kind in vql.TOKENS.items()}
        self._tokens: Mapping[str, str | int] = {**empty, **(tokens or {})}
        self._slots = database.query_slots
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
        """Return the first page of a statement.

        :raises VaultFault: with the position of a fault in the text; when no slot is free, or the query takes too long.
        """
        wanted = extras or Extras(describe=describe)
        async with self._slots.slot(caller.user_id):
            return await unless_changed(
                self._components,
                lambda: self._first_page(caller, text, version_path, wanted),
            )

    def require_readable(self, caller: Caller, text: str) -> None:
        """Check that the caller may run a statement: read all data in its result and in its conditions.

        :raises VaultFault: INSUFFICIENT_ACCESS; another error, with the position, for a fault in the text.
        """
        self._statements.statement(caller, text)

    async def _first_page(
        self,
        caller: Caller,
        text: str,
        version_path: str,
        extras: Extras,
    ) -> QueryPage:
        compiled = self._statements.statement(caller, text)
        if isinstance(compiled, vql.Show):
            return self._statements.shown(caller, compiled, describe=extras.describe)
        if extras.first_hits:
            compiled = compiled.of_first_hits()
        cursor = Cursor(uuid4(), text, 0, datetime.now(UTC), {})
        execution = self._execution(caller, cursor, version_path)
        size, offset = extras.bounded(compiled.pagesize), compiled.pageoffset
        if self._ordered_fields is not None and compiled.find is not None:
            # Before the search, which may take too long without the index.
            await self._ordered_fields.note_searched(compiled)
        async with self._database.connection() as connection:
            run = _Run(connection, caller, compiled, execution, extras)
            rows = await self._fetch(run, size, offset, None)
            page = page_of(compiled, rows, size, offset)
            page.total = await self._total(run, page, rows)
            if extras.counted:
                link(page, execution.address)
            # Most results fit on one page: those leave no cursor behind.
            linked = page.next_page or page.previous_page
            if linked or has_more_children(compiled, rows):
                following = {} if page.next_page is None else _following(page, rows)
                opened = Cursor(cursor.id, text, page.total, cursor.started, following)
                await self.cursors.open(connection, caller, opened)
            await self._complete(run, page, rows)
        await self._note(compiled, page, extras)
        return page

    async def page(
        self,
        caller: Caller,
        address: str,
        pagesize: int | None,
        pageoffset: int,
        version_path: str,
        extras: Extras | None = None,
    ) -> QueryPage:
        """Return a later page; without ORDER BY in the statement, pages stay stable while records change.

        :raises VaultFault: INVALID_DATA when the address is not one of the caller's; and as ``run`` does.
        """
        wanted = extras or Extras()
        async with self._slots.slot(caller.user_id):
            return await unless_changed(
                self._components,
                lambda: self._later_page(
                    caller, address, pagesize, pageoffset, version_path, wanted
                ),
            )

    async def _later_page(
        self,
        caller: Caller,
        address: str,
        pagesize: int | None,
        pageoffset: int,
        version_path: str,
        extras: Extras,
    ) -> QueryPage:
        identifier, child = read_address(address)
        cursor = await self.cursors.find(caller, identifier)
        # Compiled for the caller once more: permissions may have changed since the first page.
        compiled = self._statements.query(caller, cursor.query)
        if child is not None:
            compiled = self._statements.children(caller, compiled, child)
        execution = self._execution(caller, cursor, version_path)
        size = compiled.pagesize
        if pagesize is not None:
            size = min(pagesize, size)
        size = extras.bounded(size)
        # The cursor has the places of its own pages only, not of those of children.
        has_places = compiled.keyset and child is None
        after = cursor.positions.get(str(pageoffset)) if has_places else None
        async with self._database.connection() as connection:
            run = _Run(connection, caller, compiled, execution, extras)
            rows = await self._fetch(run, size, pageoffset, after)
            page = page_of(compiled, rows, size, pageoffset)
            if child is None:
                page.total = max(cursor.total, pageoffset + page.size)
            else:
                page.total = await self._total(run, page, rows)
            link(page, f"/api/{version_path}/query/{address}")
            has_next = page.next_page is not None and child is None
            following = _following(page, rows) if has_next else {}
            await self.cursors.record_served(connection, cursor, following)
            await self._complete(run, page, rows)
        return page

    async def record(
        self,
        caller: Caller,
        object_name: str,
        record_id: str,
    ) -> dict[str, Any]:
        """Return one record with all its fields, as ``GET /vobjects/{object}/{id}`` shows it.

        :raises VaultFault: INVALID_DATA for an unknown object or record; INSUFFICIENT_ACCESS when the caller may not
            read it.
        """
        record, _ = await self.record_with_roles(caller, object_name, record_id)
        return record

    async def record_with_roles(
        self, caller: Caller, object_name: str, record_id: str
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return one record as ``record`` does, and the roles on it: role → ``users`` and ``groups`` → ids.

        :raises VaultFault: as ``record`` does.
        """
        return await unless_changed(
            self._components, lambda: self._whole_record(caller, object_name, record_id)
        )

    async def _whole_record(
        self,
        caller: Caller,
        object_name: str,
        record_id: str,
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        target = self._components.registry.objects.get(object_name)
        if target is None:
            message = f"There is no object [{object_name[:100]}]"
            raise VaultFault(ErrorType.INVALID_DATA, message)
        require(caller, object_name, Operation.READ)
        active = (field for field in target.fields.values() if field.active)
        selected = ", ".join(map(vql.whole_text, active))
        # Compiled once for all records: the id, the first parameter, is put in afterwards.
        text = f"SELECT {selected} FROM {object_name} WHERE id = '0'"
        compiled = self._statements.query(caller, text)
        sql, (_, *limits) = compiled.page(1, 0)
        # No stored id has another form.
        known = record_id if RECORD_ID.match(record_id) else ""
        roles = STORED_JSON.format(object=f"${len(limits) + 2}::text", record="$1")
        statement = f"SELECT found.*, {roles} FROM ({sql}) found"
        async with self._database.connection() as connection:
            with self._slots.timed():
                rows = await connection.fetch(statement, known, *limits, object_name)
        if not rows:
            message = f"The resource [{record_id[:100]}] does not exist"
            raise VaultFault(ErrorType.INVALID_DATA, message)
        record = page_of(compiled, rows, 1, 0).rows[0]
        # Lists here, strings in query rows: clients rely on both (API reference, 2.2 and 3.2).
        for name in ("state__v", "lifecycle__v"):
            if record.get(name):
                record[name] = [record[name]]
        assigned = rows[0][-1]
        return record, {} if assigned is None else orjson.loads(assigned)

    def _execution(
        self,
        caller: Caller,
        cursor: Cursor,
        version_path: str,
    ) -> vql.Execution:
        """Return the execution of a run; its time is that of the first page, also for later pages."""
        own: dict[str, str | int] = {
            "user.id": caller.user_id,
            "user.name": caller.username,
            "user.security_profile": caller.profile.name,
        }
        address = f"/api/{version_path}/query/{cursor.id}"
        return vql.Execution(cursor.started, {**self._tokens, **own}, address)

    async def _fetch(
        self,
        run: _Run,
        pagesize: int,
        pageoffset: int,
        after: str | None,
    ) -> Sequence[Record]:
        compiled = run.compiled
        if compiled.whole and after is None and pageoffset > FAR:
            return await self._page_from_nearer_end(run, pagesize, pageoffset)
        sql, parameters = compiled.page(pagesize, pageoffset, after)
        return await self._rows(sql, parameters, run)

    async def _page_from_nearer_end(
        self, run: _Run, pagesize: int, pageoffset: int
    ) -> Sequence[Record]:
        """Return a page of all records of an object, read from that end of the result with fewer rows to skip."""
        compiled = run.compiled
        # One snapshot for both, so that it is the same page from either end, whoever adds or removes records meanwhile.
        reading = run.connection.transaction(isolation="repeatable_read", readonly=True)
        async with reading:
            total = await self._counted(run)
            from_end = total - pageoffset < pageoffset
            sql, parameters = (
                compiled.page_from_end(pagesize, pageoffset, total)
                if from_end
                else compiled.page(pagesize, pageoffset)
            )
            rows = await self._rows(sql, parameters, run)
        if from_end:
            return rows[::-1]
        return rows

    async def _rows(
        self,
        sql: str,
        parameters: Sequence[object],
        run: _Run,
    ) -> Sequence[Record]:
        """Return the rows of a statement, after resolving its deferred parameters for the run."""
        if run.compiled.deferred:
            parameters = vql.resolve(parameters, run.execution)
        with self._slots.timed():
            if run.extras.counted or run.compiled.whole:
                return await run.connection.fetch(sql, *parameters)
            # Planned for these values and no others: a plan for values of average frequency would read all records to
            # find the few that have a rare one, and could not go by an index of some of them.
            statement = await run.connection.prepare(sql)
            return await statement.fetch(*parameters)

    async def _total(self, run: _Run, page: QueryPage, rows: Sequence[Record]) -> int:
        """Return the number of rows of the whole result; if it is not known, set ``page.counted`` to False."""
        known: int | None = rows[0][-2] if run.compiled.has_number and rows else None
        if known is not None and run.compiled.has_more_hits(known):
            page.counted, page.more_hits = False, True
            return page.pageoffset + page.size
        # A page that is not full is the last one, and counting would cost a second statement.
        if page.size < page.pagesize and (page.size or not page.pageoffset):
            return page.pageoffset + page.size
        if known is not None:
            return known
        if not run.extras.counted and not run.compiled.whole:
            page.counted = False
            return page.pageoffset + page.size
        return await self._counted(run)

    async def _counted(self, run: _Run) -> int:
        """Return the number of all rows of a run's statement, as the database has it now."""
        compiled = run.compiled
        rows = await self._rows(compiled.count_sql, compiled.count_parameters, run)
        total: int = rows[0][0]
        return total

    async def _note(
        self, compiled: vql.CompiledQuery, page: QueryPage, extras: Extras
    ) -> None:
        """Note what a large result is ordered or found by and the condition of a list, so that they get indexes."""
        by_field = compiled.order[0].field or MODIFIED_DATE in compiled.matching
        if self._ordered_fields is not None and by_field:
            await self._ordered_fields.note(compiled, page.total)
        if self._listed_conditions is not None and not extras.counted:
            await self._listed_conditions.note(compiled, self._components.registry)

    async def _complete(
        self,
        run: _Run,
        page: QueryPage,
        rows: Sequence[Record],
    ) -> None:
        """Add the extras that the caller requests to the page."""
        compiled, extras = run.compiled, run.extras
        if extras.describe:
            page.describe = vql.describe(compiled)
        if extras.properties is not None:
            stored = self._statements.is_object(compiled.object_name)
            page.record_properties = record_properties(
                run.caller, compiled, rows, extras.properties, stored=stored
            )
        if extras.facets:
            page.facets = await self._facets(run)

    async def _facets(self, run: _Run) -> list[dict[str, Any]]:
        try:
            facets = vql.facets_of(run.compiled, run.extras.facets)
        except vql.VqlError as error:
            raise fault_of(error) from error
        shown = []
        for facet in facets:
            rows = await self._rows(facet.sql, facet.parameters, run)
            shown.append(facet_json(facet, rows))
        return shown


def _following(page: QueryPage, rows: Sequence[Record]) -> Mapping[str, str]:
    """Map the offset of the next page to the id of this page's last record, after which the next page begins."""
    offset = page.pageoffset + page.size
    last_id: str = rows[-1][-1]
    return {str(offset): last_id}
