"""Compiles a VQL statement to one parameterised PostgreSQL statement, and those of its counts and children."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from shared.protocol.error_types import ErrorType
from shared.vault.model.component_model import VaultObject
from shared.vault.vql.columns import (
    MAX_SUBSELECTS,
    Column,
    SubSelectColumn,
    Term,
    bounded_rows,
    field_columns,
    id_order,
    latest_sql,
    order_terms,
    sub_select,
)
from shared.vault.vql.conditions import condition_sql, matching_sql
from shared.vault.vql.numbered_ids import key_order
from shared.vault.vql.resolve import Readable, Scope, Statement
from shared.vault.vql.syntax_tree import (
    And,
    Comparison,
    Criteria,
    Expression,
    Item,
    Operand,
    Operator,
    Path,
    Query,
    Select,
)
from shared.vault.vql.targets import Registry, Target, inbound
from shared.vault.vql.vql_errors import VqlLimitError, VqlNameError

RANKED = 1_000  # hits of a search whose order is known where not all are wanted

Targets = Mapping[str, Target]
NO_TARGETS: Targets = MappingProxyType({})

# Kept by each statement that adds or removes records (migration 0043).
COUNTED = "SELECT coalesce(sum(change), 0)::bigint FROM platform.record_count WHERE object = {object}"


@dataclass(frozen=True, slots=True)
class Options:
    """Bounds of a query's result, in rows; ``max_pagesize`` is also the page size without PAGESIZE."""

    max_pagesize: int = 1000
    subselect_rows: int = 250


DEFAULT_OPTIONS = Options()


@dataclass(frozen=True, slots=True)
class CompiledQuery:
    """A statement ready to be run page by page; it has no connection and may be cached.

    * ``sql`` is the text of every page. Its columns are ``keys`` in order, then the record's id, for ``page(after=…)``;
      those in ``json_keys`` contain JSON text, the others values that JSON can encode unchanged.
    * ``matching`` is FROM and WHERE, for counts of the whole result; ``joins`` counts to-one relationships.
    * ``keyset``: pages may continue after an id, and stay stable while records change.
    * ``deferred``: parameters have to pass ``resolve`` before each run.
    * ``whole``: the result is all records of the object. Their number is known without counting, and is in each row
      before the id; ``backwards`` is the SQL of the result from its end.
    * ``ranked`` is the SQL of a search's first ``RANKED`` hits by rank, empty for other results. Its rows have the
      number of hits, at most ``RANKED`` + 1, before the id; ``has_number`` says that the rows of ``sql`` have one.
    """

    query: Query
    source: VaultObject
    columns: tuple[Column | SubSelectColumn, ...]
    keys: tuple[str, ...]
    json_keys: frozenset[str]
    sql: str
    parameters: tuple[object, ...]
    matching: str
    matching_parameters: tuple[object, ...]
    pagesize: int
    pageoffset: int
    maxrows: int | None
    skip: int
    keyset: bool
    joins: int
    deferred: bool
    whole: bool
    backwards: str
    order: tuple[Term, ...]
    ranked: str = ""
    has_number: bool = False

    @property
    def object_name(self) -> str:
        """Return the API name of the object selected from."""
        return self.source.name

    @property
    def find(self) -> str | None:
        """Return the text of the statement's FIND."""
        find = self.query.select.find
        return None if find is None else find.text

    @property
    def _is_limited(self) -> bool:
        return self.maxrows is not None or self.skip > 0

    @property
    def count_sql(self) -> str:
        """Return the statement that counts the whole result within MAXROWS and SKIP, as one bigint."""
        if self.whole:
            return COUNTED.format(object="$1::text")
        if not self._is_limited:
            return f"SELECT count(*){self.matching}"
        number = len(self.matching_parameters)
        limits = _limits_sql(number)
        return f"SELECT count(*) FROM (SELECT 1{self.matching} {limits}) counted"

    @property
    def count_parameters(self) -> tuple[object, ...]:
        """Return the parameters of ``count_sql``."""
        if self.whole:
            return (self.object_name,)
        if not self._is_limited:
            return self.matching_parameters
        return (*self.matching_parameters, self.maxrows, self.skip)

    def page(
        self,
        pagesize: int | None = None,
        pageoffset: int | None = None,
        after: str | None = None,
    ) -> tuple[str, tuple[object, ...]]:
        """Return the SQL and parameters of one page: ``pagesize`` rows after the first ``pageoffset`` of the result.

        With ``after``, the id of the record before the page, no rows are skipped by number; ``pageoffset`` then only
        reduces the rows that MAXROWS allows.

        :raises ValueError: ``after`` is set, and the statement has no ``keyset``.
        """
        offset = self.pageoffset if pageoffset is None else pageoffset
        size = self.pagesize if pagesize is None else min(pagesize, self.pagesize)
        if self.maxrows is not None:
            left = max(0, self.maxrows - offset)
            size = min(size, left)
        skipped = self.skip + offset
        if self.keyset and after is not None:
            return self.sql, (*self.parameters, after, size, 0)
        if self.keyset:
            # Every id is larger than the empty text.
            return self.sql, (*self.parameters, "", size, skipped)
        if after is not None:
            raise ValueError(
                "a result with an order of its own has no page after an id"
            )
        return self.sql, (*self.parameters, size, skipped)

    def of_first_hits(self) -> CompiledQuery:
        """Return a search with only its first ``RANKED`` hits ranked; return any other statement unchanged."""
        if not self.ranked:
            return self
        return replace(self, sql=self.ranked, has_number=True)

    def has_more_hits(self, number: int) -> bool:
        """Return whether a search has more hits than it ranks; ``number`` is the number of hits in its rows."""
        return not self.whole and number > RANKED

    def page_from_end(
        self, pagesize: int, pageoffset: int, total: int
    ) -> tuple[str, tuple[object, ...]]:
        """Return the SQL and parameters of a page of a ``whole`` result with ``total`` rows, the last row first."""
        left = max(0, total - pageoffset)
        size = min(pagesize, self.pagesize, left)
        return self.backwards, (*self.parameters, size, left - size)


def compile_query(
    query: Query,
    registry: Registry,
    readable: Readable,
    options: Options = DEFAULT_OPTIONS,
    targets: Targets = NO_TARGETS,
) -> CompiledQuery:
    """Check a statement's names, permissions and literals, and return it compiled.

    :raises VqlNameError: a name does not exist or may not be read, or a literal does not suit its field.
    :raises VqlLimitError: the statement is larger than this Vault accepts.
    """
    select = query.select
    statement = Statement(registry, readable, query.text, targets)
    source = statement.object(select.source, select.at)
    scope = Scope(statement, source, select)
    # The conditions are compiled first: counts of the whole result take their joins and parameters only.
    where = matching_sql(scope, select)
    if select.latest:
        where = latest_sql(scope, where)
    condition = f" WHERE {where}" if where else ""
    matching = f" FROM {scope.source()}{condition}"
    matching_parameters = tuple(statement.parameters)
    selected = _columns(scope, select, options)
    terms = order_terms(scope, select.order, select.find)
    order, backward, keyset = _orders(scope, select, terms)
    texts = [_as_json(sql, column) for sql, column in selected]
    texts += [condition_sql(scope, each) for each in query.tested]
    columns = tuple(column for _, column in selected)
    limits = select.limits
    by_rank = _is_ranked(scope, select)
    whole = scope.of_table and not where and limits.unlimited
    if whole:
        # In the statement of the rows, which saves another one, and is of the same moment.
        texts.append(_number_of_all(statement, source.name))
    return CompiledQuery(
        query=query,
        source=source,
        columns=columns,
        keys=tuple(column.key for column in columns),
        json_keys=frozenset(column.key for column in columns if _is_json(column)),
        sql=_page_sql(scope, texts, where, order, keyset=keyset),
        backwards=_page_sql(scope, texts, where, backward),
        parameters=tuple(statement.parameters),
        matching=matching,
        matching_parameters=matching_parameters,
        pagesize=_pagesize(select, columns, options),
        pageoffset=limits.pageoffset or 0,
        maxrows=limits.maxrows,
        skip=limits.skip or 0,
        keyset=keyset,
        joins=len(scope.joins),
        deferred=statement.deferred,
        whole=whole,
        order=tuple(terms),
        ranked=_ranked_sql(scope, texts, where, order) if by_rank else "",
        has_number=whole,
    )


def _orders(
    scope: Scope, select: Select, terms: Sequence[Term]
) -> tuple[str, str, bool]:
    """Return the ORDER BY of pages, that of pages read backwards, and whether pages may continue after an id."""
    order = ", ".join(term.sql for term in terms)
    backward = ", ".join(term.backwards for term in terms)
    keyset = order in _orders_by_id(scope)
    if keyset:
        order = id_order(scope, select.where)
    return order, backward, keyset


def _is_ranked(scope: Scope, select: Select) -> bool:
    """Return whether a statement searches a table and orders its hits by rank, without MAXROWS and SKIP."""
    searched = select.find is not None and not select.order
    return searched and scope.of_table and select.limits.unlimited


def _pagesize(
    select: Select, columns: tuple[Column | SubSelectColumn, ...], options: Options
) -> int:
    """Return the rows of a page: as many as asked for, within what columns of long values allow."""
    wanted = select.limits.pagesize
    most = bounded_rows(columns, options.max_pagesize)
    return most if wanted is None else min(wanted, most)


def _number_of_all(statement: Statement, object_name: str) -> str:
    name = statement.bind(object_name, "text")
    return f"({COUNTED.format(object=name)})"


def check_criteria(
    criteria: Criteria,
    object_name: str,
    registry: Registry,
    readable: Readable,
    targets: Targets = NO_TARGETS,
) -> None:
    """Check a filter clause against an object's fields.

    :raises VqlError: as ``compile_query`` does.
    """
    query = criteria.query(object_name)
    compile_query(query, registry, readable, targets=targets)


def _columns(
    scope: Scope,
    select: Select,
    options: Options,
) -> list[tuple[str, Column | SubSelectColumn]]:
    """Return the SQL and the column of each item, in the order of the statement."""
    items = [item for item in select.items if isinstance(item, Item)]
    subselects = [item for item in select.items if isinstance(item, Select)]
    if len(subselects) > MAX_SUBSELECTS:
        raise VqlLimitError(f"a statement takes at most {MAX_SUBSELECTS} sub-selects")
    fields = field_columns(scope, items)
    if not subselects:
        return [*fields]
    found: dict[str, tuple[str, Column | SubSelectColumn]] = {}
    for sql, column in fields:
        found[column.key] = sql, column
    for number, item in enumerate(subselects):
        if item.source in found:
            message = f"[{item.source}] is selected twice"
            raise scope.statement.fault(message, item.at)
        found[item.source] = sub_select(scope, item, options.subselect_rows, number)
    keys = [_key(item) for item in select.items]
    return [found[key] for key in dict.fromkeys(keys)]


def _key(item: Item | Select) -> str:
    return item.source if isinstance(item, Select) else item.key


def _is_json(column: Column | SubSelectColumn) -> bool:
    return isinstance(column, SubSelectColumn) or column.is_decimal


def _as_json(sql: str, column: Column | SubSelectColumn) -> str:
    is_decimal = isinstance(column, Column) and column.is_decimal
    return f"{sql}::text" if is_decimal else sql


def _orders_by_id(scope: Scope) -> tuple[str, ...]:
    """Return the ORDER BY clauses that sort by id alone, which differ in the order of nulls only."""
    key = key_order(scope)
    raw = f"{key} ASC NULLS FIRST, {key}"
    return key, f"{key}, {key}", raw, f"{key} ASC NULLS LAST, {key}"


def _page_sql(
    scope: Scope,
    selected: list[str],
    where: str,
    order: str,
    *,
    keyset: bool = False,
) -> str:
    """Return the SQL of every page; with ``keyset`` it has a parameter for the id before the page."""
    number = len(scope.statement.parameters)
    key = scope.key
    conditions = [where] if where else []
    if keyset:
        number += 1
        conditions.append(f"{key_order(scope)} > ${number}::text")
    condition = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    columns = ", ".join([*selected, key])
    limits = _limits_sql(number)
    source = f"SELECT {columns} FROM {scope.source()}{condition}"
    return f"{source} ORDER BY {order} {limits}"


def _ranked_sql(scope: Scope, selected: list[str], where: str, order: str) -> str:
    """Return the SQL of a page of a search's first hits: ranking a hit takes ten times as long as finding it."""
    key, source = scope.key, scope.source()
    hits = f"SELECT {key} AS id FROM {source} WHERE {where} LIMIT {RANKED + 1}"
    number = "(SELECT count(*) FROM hits)"
    columns = ", ".join([*selected, number, key])
    first = f"ARRAY(SELECT id FROM hits LIMIT {RANKED})"
    limits = _limits_sql(len(scope.statement.parameters))
    ranked = f"SELECT {columns} FROM {source} WHERE {key} = ANY({first})"
    return f"WITH hits AS MATERIALIZED ({hits}) {ranked} ORDER BY {order} {limits}"


def _limits_sql(number: int) -> str:
    """Return LIMIT and OFFSET with the two parameters that follow the first ``number``."""
    size, offset = number + 1, number + 2
    return f"LIMIT ${size}::bigint OFFSET ${offset}::bigint"


# Further children of one record


def children_query(
    query: Query,
    number: int,
    parent_id: str,
    registry: Registry,
    targets: Targets = NO_TARGETS,
) -> Query:
    """Return the statement that selects all children of a record with the fields of sub-select ``number``.

    :raises VqlNameError: the statement has no such sub-select, or its relationship no longer exists.
    """
    # The number comes from an address, and the configuration may have changed since it was written.
    subselects = [item for item in query.select.items if isinstance(item, Select)]
    select = subselects[number] if 0 <= number < len(subselects) else None
    relationships = inbound(registry, targets, query.select.source)
    if select is None or select.source not in relationships:
        raise VqlNameError(ErrorType.INVALID_DATA, "there is no such query page")
    child, reference = relationships[select.source]
    operand = Operand(Path((reference.name,), select.at))
    where: Expression = Comparison(operand, Operator.EQUAL, parent_id, select.at)
    if select.where is not None:
        where = And((where, select.where))
    own = replace(select, source=child, where=where)
    return Query(own, query.text)
