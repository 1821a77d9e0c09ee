"""Compiles a VQL statement to one parameterised PostgreSQL statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from shared.vault.model.component_model import Field, FieldType, VaultObject
from shared.vault.vql.columns import (
    MAX_SUBSELECTS,
    Column,
    SubSelectColumn,
    field_columns,
    latest_sql,
    matching_sql,
    order_sql,
    sub_select,
)
from shared.vault.vql.deferred import is_deferred
from shared.vault.vql.resolve import (
    Readable,
    Registry,
    Scope,
    Statement,
    inbound,
    quoted,
)
from shared.vault.vql.syntax_tree import (
    And,
    Comparison,
    Criteria,
    Expression,
    Item,
    Limits,
    Operand,
    Path,
    Query,
    Select,
)
from shared.vault.vql.targets import Target
from shared.vault.vql.vql_errors import VqlLimitError, VqlNameError

Targets = Mapping[str, Target]
NO_TARGETS: Targets = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Options:
    """Bounds of a query's answer, in rows."""

    max_pagesize: int = 1000  # also the page size of a statement without PAGESIZE
    subselect_rows: int = 250


DEFAULT_OPTIONS = Options()


@dataclass(frozen=True, slots=True)
class CompiledQuery:
    """A statement ready to be run page by page; it holds no connection and may be kept.

    Every page is the same SQL text (``sql``). Its columns are ``keys`` in order and behind them the record's id, for
    ``page(after=…)``; those in ``json_keys`` hold JSON text, the others values that JSON takes as they are.
    Where ``deferred``, parameters have to pass ``resolve`` before each run.
    """

    query: Query
    source: VaultObject
    columns: tuple[Column | SubSelectColumn, ...]
    keys: tuple[str, ...]
    json_keys: frozenset[str]
    sql: str
    parameters: tuple[object, ...]
    matching: str  # FROM and WHERE, for what is asked of the whole result
    matching_parameters: tuple[object, ...]
    pagesize: int
    pageoffset: int
    maxrows: int | None
    skip: int
    keyset: bool  # pages may continue after an id and stay stable while records change
    joins: int  # to-one relationships that are joined
    deferred: bool

    @property
    def object_name(self) -> str:
        """The API name of the object selected from."""
        return self.source.name

    @property
    def find(self) -> str | None:
        """The text of the statement's FIND."""
        find = self.query.select.find
        return None if find is None else find.text

    @property
    def count_sql(self) -> str:
        """One bigint: rows of the whole result, MAXROWS and SKIP considered."""
        if self.maxrows is None and not self.skip:
            return f"SELECT count(*){self.matching}"
        number = len(self.matching_parameters)
        limits = f"LIMIT ${number + 1}::bigint OFFSET ${number + 2}::bigint"
        return f"SELECT count(*) FROM (SELECT 1{self.matching} {limits}) counted"

    @property
    def count_parameters(self) -> tuple[object, ...]:
        """The parameters of ``count_sql``."""
        if self.maxrows is None and not self.skip:
            return self.matching_parameters
        return (*self.matching_parameters, self.maxrows, self.skip)

    def page(
        self,
        pagesize: int | None = None,
        pageoffset: int | None = None,
        after: str | None = None,
    ) -> tuple[str, tuple[object, ...]]:
        """SQL and parameters of one page: ``pagesize`` rows behind the first ``pageoffset`` of the result.

        With ``after``, the id of the record before the page, nothing is skipped by count; ``pageoffset`` then only
        says how many rows MAXROWS has left. Raises ValueError for ``after`` where ``keyset`` is False.
        """
        offset = self.pageoffset if pageoffset is None else pageoffset
        size = self.pagesize if pagesize is None else min(pagesize, self.pagesize)
        if self.maxrows is not None:
            size = min(size, max(0, self.maxrows - offset))
        if not self.keyset:
            if after is not None:
                message = "a result with an order of its own has no page after an id"
                raise ValueError(message)
            return self.sql, (*self.parameters, size, self.skip + offset)
        if after is None:
            return self.sql, (*self.parameters, "", size, self.skip + offset)
        return self.sql, (*self.parameters, after, size, 0)


def compile_query(
    query: Query,
    registry: Registry,
    readable: Readable,
    options: Options = DEFAULT_OPTIONS,
    targets: Targets = NO_TARGETS,
) -> CompiledQuery:
    """Check a statement's names, permissions and literals, and compile it; raises VqlNameError, VqlLimitError."""
    select = query.select
    statement = Statement(registry, readable, query.text, targets)
    scope = Scope(statement, statement.object(select.source, select.at), select)
    # The conditions are compiled first: what is asked of the whole result takes their joins and parameters only.
    where = matching_sql(scope, select)
    if select.latest:
        where = latest_sql(scope, where)
    matching = f" FROM {scope.source()}{f' WHERE {where}' if where else ''}"
    matching_parameters = tuple(statement.parameters)
    selected = [
        (_as_json(sql, column), column)
        for sql, column in _columns(scope, select, options)
    ]
    order = order_sql(scope, select.order, select.find)
    keyset = order in (
        scope.key,
        *(f"{scope.key} ASC NULLS {empty}, {scope.key}" for empty in ("FIRST", "LAST")),
    )
    columns = tuple(column for _, column in selected)
    limits: Limits = select.limits
    pagesize = options.max_pagesize if limits.pagesize is None else limits.pagesize
    return CompiledQuery(
        query=query,
        source=scope.object,
        columns=columns,
        keys=tuple(column.key for column in columns),
        json_keys=frozenset(
            c.key for c in columns if isinstance(c, SubSelectColumn) or c.is_decimal
        ),
        sql=_page_sql(scope, [sql for sql, _ in selected], where, order, keyset=keyset),
        parameters=tuple(statement.parameters),
        matching=matching,
        matching_parameters=matching_parameters,
        pagesize=min(pagesize, options.max_pagesize),
        pageoffset=limits.pageoffset or 0,
        maxrows=limits.maxrows,
        skip=limits.skip or 0,
        keyset=keyset,
        joins=len(scope.joins),
        deferred=is_deferred(statement.parameters),
    )


def check_criteria(
    criteria: Criteria,
    object_name: str,
    registry: Registry,
    readable: Readable,
    targets: Targets = NO_TARGETS,
) -> None:
    """Check a filter clause against an object's fields; raises VqlNameError, VqlLimitError."""
    compile_query(criteria.query(object_name), registry, readable, targets=targets)


def _columns(
    scope: Scope, select: Select, options: Options
) -> list[tuple[str, Column | SubSelectColumn]]:
    """SQL and column of each item, in the order of the statement."""
    subselects = [item for item in select.items if isinstance(item, Select)]
    if not subselects:
        return [
            *field_columns(
                scope, [item for item in select.items if isinstance(item, Item)]
            )
        ]
    if len(subselects) > MAX_SUBSELECTS:
        message = f"a statement takes at most {MAX_SUBSELECTS} sub-selects"
        raise VqlLimitError(message)
    found: dict[str, tuple[str, Column | SubSelectColumn]] = {}
    for sql, column in field_columns(
        scope, [item for item in select.items if isinstance(item, Item)]
    ):
        found[column.key] = sql, column
    for number, item in enumerate(subselects):
        if item.source in found:
            message = f"[{item.source}] is selected twice"
            raise scope.statement.fault(message, item.at)
        found[item.source] = sub_select(scope, item, options.subselect_rows, number)
    keys = (
        item.source if isinstance(item, Select) else item.key for item in select.items
    )
    return [found[key] for key in dict.fromkeys(keys)]


def _as_json(sql: str, column: Column | SubSelectColumn) -> str:
    return f"{sql}::text" if isinstance(column, Column) and column.is_decimal else sql


def _page_sql(
    scope: Scope, selected: list[str], where: str, order: str, *, keyset: bool
) -> str:
    number = len(scope.statement.parameters)
    key = scope.key
    conditions = [where] if where else []
    if keyset:
        number += 1
        conditions.append(f"{key} > ${number}::text")
    return (
        f"SELECT {', '.join(selected)}, {key} FROM {scope.source()}"
        f"{' WHERE ' if conditions else ''}{' AND '.join(conditions)}"
        f" ORDER BY {key if keyset else order} LIMIT ${number + 1}::bigint OFFSET ${number + 2}::bigint"
    )


MAX_FACETS = 20  # fields of one request


MAX_VALUES = 50  # shown of one field, the documented limit


_FACETABLE = frozenset((FieldType.PICKLIST, FieldType.BOOLEAN, FieldType.OBJECT))


_STATES = frozenset(("state__v", "lifecycle__v", "object_type__v"))


@dataclass(frozen=True, slots=True)
class Facet:
    """A statement that yields ``value, result_count, count``, the most frequent values first.

    ``count`` is the number of distinct values, the same in each row. Parameters are those of the query's matching.
    """

    field: Field
    sql: str
    parameters: tuple[object, ...]


def facets_of(compiled: CompiledQuery, names: Sequence[str]) -> list[Facet]:
    """The facets of a compiled query's result by these fields of its object; raises VqlNameError, VqlLimitError."""
    if len(names) > MAX_FACETS:
        message = f"facets are counted of at most {MAX_FACETS} fields"
        raise VqlLimitError(message)
    return [_facet(compiled, name) for name in dict.fromkeys(names)]


def _facet(compiled: CompiledQuery, name: str) -> Facet:
    field = compiled.source.fields.get(name)
    if field is None or not (field.type in _FACETABLE or field.name in _STATES):
        message = (
            f"field [{name[:128]}] of object [{compiled.source.name}] cannot be a facet"
        )
        raise VqlNameError("INVALID_DATA", message)
    column = f"t0.{quoted(field.name)}"
    value = f"unnest({column})" if field.multi_value else f"{column}::text"
    sql = (
        f"SELECT value, count(*) AS result_count, count(*) OVER () AS count FROM (SELECT {value} AS value"
        f"{compiled.matching}) found WHERE value IS NOT NULL GROUP BY value ORDER BY 2 DESC, 1 LIMIT {MAX_VALUES}"
    )
    return Facet(field, sql, compiled.matching_parameters)


def children_query(
    query: Query,
    number: int,
    parent_id: str,
    registry: Registry,
    targets: Targets = NO_TARGETS,
) -> Query:
    """The statement that selects all children of the record ``parent_id``, as sub-select ``number`` shows them.

    Raises VqlNameError where the statement has no such sub-select, or its relationship is there no longer.
    """
    subselects = [item for item in query.select.items if isinstance(item, Select)]
    relationships = inbound(registry, targets, query.select.source)
    found = (
        relationships.get(subselects[number].source)
        if 0 <= number < len(subselects)
        else None
    )
    if found is None:
        message = "there is no such query page"
        raise VqlNameError("INVALID_DATA", message)
    child, reference = found
    select = subselects[number]
    of_parent: Expression = Comparison(
        Operand(Path((reference.name,), select.at)), "=", parent_id, select.at
    )
    where = of_parent if select.where is None else And((of_parent, select.where))
    return Query(replace(select, source=child, where=where), query.text)
