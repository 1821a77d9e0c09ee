"""Compiles VQL texts to statements, cached until the configuration changes, and makes JSON pages of their rows."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import repeat
from typing import TYPE_CHECKING, Any, TypeVar, assert_never

import orjson

from shared.runtime.retry_policies import TABLE_CHANGED
from shared.vault import vql
from shared.vault.access.permissions import Operation, may, may_set, readable
from shared.vault.configuration.component_service import TABLES_CHANGED
from shared.vault.errors import VaultFault
from shared.vault.queries.cursors import ChildPage, no_such_page
from shared.vault.queries.query_targets import (
    COMPONENT,
    DEFINITIONS,
    targets_of,
    with_definitions,
)

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller, SecurityProfile
    from shared.vault.components.registry import Registry
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.model.component_model import VaultObject

MAX_CACHED = 256  # statements
MAX_CACHED_TEXT = 2_000  # characters; longer texts are id lists, seldom seen twice
SHOWN_PAGESIZE = 1000
OPTIONS = vql.Options()
CHILD_OPTIONS = vql.Options(max_pagesize=OPTIONS.subselect_rows)

T = TypeVar("T")


class RecordProperties(StrEnum):
    """The record properties that a caller can request."""

    ALL = "all"
    HIDDEN = "hidden"
    REDACTED = "redacted"
    WEBLINK = "weblink"


@dataclass(frozen=True, slots=True)
class Extras:
    """The data that a caller requests besides the rows; ``rows_at_most`` bounds a page in addition to the statement.

    A page that is not ``counted`` has the total only if it is known anyway, and has no next page. With ``first_hits``,
    a search by rank has its first ``vql.RANKED`` hits only.
    """

    describe: bool = False
    properties: RecordProperties | None = None
    facets: tuple[str, ...] = ()
    rows_at_most: int | None = None
    counted: bool = True
    first_hits: bool = False

    def bounded(self, pagesize: int) -> int:
        """Return the number of rows of a page: ``pagesize`` of the statement, bounded by ``rows_at_most``."""
        if self.rows_at_most is None:
            return pagesize
        return min(pagesize, self.rows_at_most)


@dataclass(slots=True)
class QueryPage:
    """One page of rows, JSON-ready, with the values of its ``responseDetails``.

    If the page is not ``counted``, its ``total`` is the number of rows up to the end of the page; more may follow.
    """

    rows: list[dict[str, Any]]
    pagesize: int
    pageoffset: int
    size: int
    total: int
    counted: bool = True
    more_hits: bool = False
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
    """Return rows of a compiled statement as a page, whose total is the number of these rows."""
    # A row has one column more than there are keys: the record's id, for the next page. `zip` is called without the
    # keyword that would say so, which takes a quarter of the time.
    pairs = map(zip, repeat(compiled.keys), rows)
    data: list[dict[str, Any]] = list(map(dict, pairs))
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
    """Return the selected fields of the object itself that the caller may set, each name once."""
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


@dataclass(slots=True)
class _Cache:
    """Compiled statements of one registry, the least recently used first, and its query targets besides objects."""

    registry: Registry
    targets: vql.Targets
    queries: OrderedDict[tuple[SecurityProfile, bool, str], vql.CompiledQuery] = field(
        default_factory=OrderedDict
    )


def fault_of(error: vql.VqlError) -> VaultFault:
    """Return a statement's error as a fault of the API."""
    return VaultFault(error.type, error.message)


def _wants_definitions(query: vql.Query) -> bool:
    """Return whether a statement selects definitions of components."""
    # By its text: a name in a string does no harm, it only costs the rows with definitions.
    of_components = query.select.source == COMPONENT
    return of_components and any(name in query.text for name in DEFINITIONS)


async def unless_changed(
    components: ComponentService, work: Callable[[], Awaitable[T]]
) -> T:
    """Run work that only reads, and return its result; run it again when tables have changed meanwhile.

    Reading takes no lock: a component may change between the compilation of a statement and its execution.
    """
    for _ in range(TABLE_CHANGED.attempts - 1):
        try:
            return await work()
        except TABLES_CHANGED:
            await components.load()
    return await work()


class Statements:
    """Compiles statements against the current registry and a caller's permissions."""

    def __init__(self, components: ComponentService) -> None:
        self._components = components
        self._cache: _Cache | None = None

    def _current(self) -> _Cache:
        """Return the cache of the current registry, an empty one when the configuration has changed."""
        registry = self._components.registry
        if self._cache is None or self._cache.registry is not registry:
            targets = targets_of(registry)
            self._cache = _Cache(registry, targets)
        return self._cache

    def statement(self, caller: Caller, text: str) -> vql.CompiledQuery | vql.Show:
        """Return a statement, SELECT or SHOW, compiled for the caller.

        :raises VaultFault: with the position of a fault in the text.
        """
        cache = self._current()
        # Profiles are compared by identity: each reading of the components makes new ones, with their permissions.
        key = (caller.profile, caller.read_only, text)
        cached = cache.queries.get(key)
        if cached is not None:
            cache.queries.move_to_end(key)
            return cached
        try:
            statement = vql.parse_statement(text)
            if isinstance(statement, vql.Show):
                return statement
            defining = _wants_definitions(statement)
            compiled = self._compiled(caller, statement, cache, defining=defining)
        except vql.VqlError as error:
            raise fault_of(error) from error
        # Definitions are in the parameters of the statement, megabytes in a large Vault.
        if not defining and len(text) <= MAX_CACHED_TEXT:
            cache.queries[key] = compiled
            if len(cache.queries) > MAX_CACHED:
                cache.queries.popitem(last=False)
        return compiled

    def _compiled(
        self,
        caller: Caller,
        query: vql.Query,
        cache: _Cache,
        *,
        defining: bool,
    ) -> vql.CompiledQuery:
        targets = cache.targets
        if defining:
            targets = with_definitions(targets, cache.registry, caller)
        may_read = readable(caller)
        return vql.compile_query(query, cache.registry, may_read, OPTIONS, targets)

    def query(self, caller: Caller, text: str) -> vql.CompiledQuery:
        """Return a SELECT, compiled for the caller.

        :raises VaultFault: as ``statement`` does.
        """
        compiled = self.statement(caller, text)
        # A SHOW has one page, so that no address of a later one is of it.
        if isinstance(compiled, vql.Show):
            raise no_such_page()
        return compiled

    def children(
        self,
        caller: Caller,
        compiled: vql.CompiledQuery,
        child: ChildPage,
    ) -> vql.CompiledQuery:
        """Return the statement of further pages of a sub-select of one record.

        :raises VaultFault: INVALID_DATA when the statement has no such sub-select.
        """
        cache = self._current()
        registry, targets = cache.registry, cache.targets
        may_read = readable(caller)
        try:
            query = vql.children_query(
                compiled.query,
                child.number,
                child.parent_id,
                registry,
                targets,
            )
            return vql.compile_query(query, registry, may_read, CHILD_OPTIONS, targets)
        except vql.VqlError as error:
            raise fault_of(error) from error

    def shown(
        self,
        caller: Caller,
        show: vql.Show,
        *,
        describe: bool,
    ) -> QueryPage:
        """Return the result of a SHOW, on one page.

        :raises VaultFault: when its target does not exist, or the caller may not read it.
        """
        cache = self._current()
        may_read = readable(caller)
        try:
            rows = vql.show_rows(show, cache.registry, may_read, cache.targets)
        except vql.VqlError as error:
            raise fault_of(error) from error
        page = QueryPage(
            rows=rows,
            pagesize=SHOWN_PAGESIZE,
            pageoffset=0,
            size=len(rows),
            total=len(rows),
        )
        if describe:
            page.describe = vql.describe_show(show, cache.registry, cache.targets)
        return page

    def is_object(self, name: str) -> bool:
        """Return whether the name is that of an object with stored records."""
        return name in self._current().registry.objects
