"""Turns VQL texts into statements ready to run, valid until the configuration changes: caches and renews them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from shared.runtime.retry_policies import TABLE_CHANGED
from shared.vault import vql
from shared.vault.access.permissions import readable
from shared.vault.configuration.component_service import TABLES_CHANGED
from shared.vault.errors import VaultFault
from shared.vault.queries.query_pages import ChildPage, QueryPage, no_such_page
from shared.vault.queries.query_targets import (
    COMPONENT,
    DEFINITIONS,
    targets_of,
    with_definitions,
)

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller, SecurityProfile
    from shared.vault.components.registry import Registry
    from shared.vault.configuration.component_service import ComponentService

MAX_CACHED = 256  # statements
MAX_CACHED_TEXT = 2_000  # characters; longer texts are id lists, seldom seen twice
SHOWN_PAGESIZE = 1000
OPTIONS = vql.Options()
CHILD_OPTIONS = vql.Options(max_pagesize=OPTIONS.subselect_rows)


T = TypeVar("T")


@dataclass(slots=True)
class _Cache:
    """Compiled statements of one registry, the least recently used first, and the targets beside its objects."""

    registry: Registry
    targets: vql.Targets
    queries: OrderedDict[tuple[SecurityProfile, bool, str], vql.CompiledQuery] = field(
        default_factory=OrderedDict
    )


def fault_of(error: vql.VqlError) -> VaultFault:
    """Return the API's fault of a statement's error."""
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
