"""VQL texts turned into statements ready to run, kept for as long as the configuration stays the same."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault import vql
from shared.vault.access.permissions import readable
from shared.vault.errors import VaultFault
from shared.vault.queries.query_cursors import ChildPage, no_such_page
from shared.vault.queries.query_definitions import wants_definitions, with_definitions
from shared.vault.queries.query_pages import QueryPage
from shared.vault.queries.query_targets import targets_of

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller, SecurityProfile
    from shared.vault.components.registry import Registry
    from shared.vault.configuration.component_service import ComponentService

KEPT = 256
KEPT_TEXT = 2_000  # longer texts are id lists, seldom seen twice
SHOWN_PAGESIZE = 1000
OPTIONS = vql.Options()
CHILD_OPTIONS = vql.Options(max_pagesize=OPTIONS.subselect_rows)


@dataclass(slots=True)
class _Compiled:
    """Statements by profile and text, and the targets that the registry makes beside its objects."""

    registry: Registry
    targets: vql.Targets
    queries: OrderedDict[tuple[SecurityProfile, str], vql.CompiledQuery] = field(
        default_factory=OrderedDict
    )


def fault_of(error: vql.VqlError) -> VaultFault:
    """A fault of a statement as the API tells it."""
    return VaultFault(ErrorType(error.type), error.message)


class Statements:
    """Compiles statements against the current registry and a caller's permissions."""

    def __init__(self, components: ComponentService) -> None:
        self._components = components
        self._kept: _Compiled | None = None

    def _current(self) -> _Compiled:
        registry = self._components.registry
        if self._kept is None or self._kept.registry is not registry:
            self._kept = _Compiled(registry, targets_of(registry))
        return self._kept

    def statement(self, caller: Caller, text: str) -> vql.CompiledQuery | vql.Show:
        """A statement, SELECT or SHOW; raises VaultFault with the place of a fault in the text."""
        kept = self._current()
        key = (caller.profile, text)
        if key in kept.queries:
            kept.queries.move_to_end(key)
            return kept.queries[key]
        try:
            statement = vql.parse_statement(text)
            if isinstance(statement, vql.Show):
                return statement
            defining = wants_definitions(statement)
            targets = (
                with_definitions(kept.targets, kept.registry, caller)
                if defining
                else kept.targets
            )
            compiled = vql.compile_query(
                statement, kept.registry, readable(caller), OPTIONS, targets
            )
        except vql.VqlError as error:
            raise fault_of(error) from error
        if len(text) <= KEPT_TEXT and not defining:
            kept.queries[key] = compiled
            if len(kept.queries) > KEPT:
                kept.queries.popitem(last=False)
        return compiled

    def query(self, caller: Caller, text: str) -> vql.CompiledQuery:
        """A SELECT; raises as ``statement`` does."""
        compiled = self.statement(caller, text)
        if isinstance(compiled, vql.Show):
            raise no_such_page()
        return compiled

    def children(
        self, caller: Caller, compiled: vql.CompiledQuery, child: ChildPage
    ) -> vql.CompiledQuery:
        """The statement behind further pages of a sub-select of one record; raises VaultFault."""
        kept = self._current()
        try:
            query = vql.children_query(
                compiled.query,
                child.number,
                child.parent_id,
                kept.registry,
                kept.targets,
            )
            return vql.compile_query(
                query, kept.registry, readable(caller), CHILD_OPTIONS, kept.targets
            )
        except vql.VqlError as error:
            raise fault_of(error) from error

    def shown(self, caller: Caller, show: vql.Show, *, describe: bool) -> QueryPage:
        """The answer to a SHOW, on one page; raises VaultFault."""
        kept = self._current()
        try:
            rows = vql.show_rows(show, kept.registry, readable(caller), kept.targets)
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
            page.describe = vql.describe_show(show, kept.registry, kept.targets)
        return page

    def is_object(self, name: str) -> bool:
        """Whether the name is that of an object, whose records are stored."""
        return name in self._current().registry.objects
