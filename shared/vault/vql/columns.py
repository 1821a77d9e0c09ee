"""Compiles selected fields, their order, and to-many sub-selects to SQL that yields the API's encoding of values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from shared.vault.model.component_model import Field, FieldType, VaultObject
from shared.vault.vql.conditions import condition_sql
from shared.vault.vql.deferred import ChildAddress
from shared.vault.vql.find import find_sql, rank_sql
from shared.vault.vql.functions import (
    FILE_FUNCTIONS,
    LONG,
    label_sql,
    named_file,
    selected_sql,
)
from shared.vault.vql.operands import is_integer
from shared.vault.vql.resolve import DOCUMENT_ID, Scope, Statement, quoted
from shared.vault.vql.syntax_tree import Find, Item, Order, Rank, Select
from shared.vault.vql.vql_errors import VqlLimitError

MAX_ITEMS = 500  # selected in one SELECT
MAX_SUBSELECTS = 20
UNSORTED = LONG | {FieldType.ATTACHMENT}


@dataclass(frozen=True, slots=True)
class Column:
    """One output column: its key in a row, the field it shows, and how it was asked for."""

    key: str
    field: Field
    function: str | None = None
    alias: bool = False
    own: bool = (
        True  # a field of the object selected from, not of one behind a relationship
    )

    @property
    def is_decimal(self) -> bool:
        """Whether it holds numbers with decimals, whose every digit counts: they travel as text, and are JSON so."""
        plain = self.function in (None, "TONAME")
        return (
            plain and self.field.type is FieldType.NUMBER and not is_integer(self.field)
        )


@dataclass(frozen=True, slots=True)
class SubSelectColumn:
    """One output column that holds a to-many sub-select's answer as JSON text."""

    key: str  # the relationship's name
    source: VaultObject
    columns: tuple[Column, ...]


def field_columns(scope: Scope, items: Sequence[Item]) -> list[tuple[str, Column]]:
    """SQL and column of each selected field, a repeated one once; raises VqlNameError, VqlLimitError."""
    if len(items) > MAX_ITEMS:
        message = f"a SELECT takes at most {MAX_ITEMS} fields"
        raise VqlLimitError(message)
    found: dict[str, Item] = {}
    columns = []
    for item in items:
        key = item.key
        earlier = found.setdefault(key, item)
        if earlier is not item:
            if (
                earlier.path.parts != item.path.parts
                or earlier.function != item.function
            ):
                message = (
                    f"[{key}] is selected twice in different ways; give one an alias"
                )
                raise scope.statement.fault(message, item.path.at)
            continue
        sql, field = selected_sql(scope, item.path, item.function)
        if key == DOCUMENT_ID:
            key = field.name
        columns.append(
            (
                sql,
                Column(
                    key,
                    field,
                    item.function,
                    item.alias is not None,
                    len(item.path.parts) == 1,
                ),
            )
        )
    return columns


def order_sql(scope: Scope, order: Sequence[Order | Rank], find: Find | None) -> str:
    """ORDER BY terms, the id last so that the order is total.

    Records without a value come last, those of raw objects before the others, in a descending order after them.
    Without terms, what FIND has found is sorted by rank.
    """
    terms = []
    if find is not None and not order:
        order = (Rank(find.at),)
    for term in order:
        if isinstance(term, Rank):
            if find is None:
                message = "ORDER BY RANK goes with FIND only"
                raise scope.statement.fault(message, term.at)
            terms.append(f"{rank_sql(scope, find)} DESC")
        else:
            empty = "FIRST" if scope.object.raw and not term.descending else "LAST"
            terms.append(
                f"{_sorted_by(scope, term)} {'DESC' if term.descending else 'ASC'} NULLS {empty}"
            )
    terms.append(scope.key)
    return ", ".join(terms)


def _sorted_by(scope: Scope, term: Order) -> str:
    path, function = scope.aliased(term.path, term.function)
    if function == "TOLABEL":
        sql, field, owner = label_sql(scope, path)
    elif function in FILE_FUNCTIONS:
        return named_file(scope, path, function)[0]
    elif term.function is None:
        sql, field, owner = scope.column(path)
    else:
        message = "of the functions ORDER BY takes TOLABEL and FILENAME only"
        raise scope.statement.fault(message, term.path.at, "ATTRIBUTE_NOT_SUPPORTED")
    if field.type in UNSORTED or field.multi_value:
        message = f"field [{field.name}] of object [{owner.name}] cannot be sorted by"
        raise scope.statement.fault(message, term.path.at)
    return sql


def matching_sql(scope: Scope, select: Select) -> str:
    """The conditions of a SELECT, FIND and WHERE, as one; empty where there are none."""
    terms = [] if select.find is None else [find_sql(scope, select.find)]
    terms += [] if select.where is None else [condition_sql(scope, select.where)]
    return " AND ".join(terms)


def latest_sql(scope: Scope, where: str) -> str:
    """The condition that keeps, of the rows of one id that meet ``where``, the newest version."""
    target = scope.statement.targets[scope.object.name]
    newest = ", ".join(f"{scope.alias}.{quoted(name)} DESC" for name in target.newest)
    identifier = f'{scope.alias}."id"'
    # The aliases of the statement are those of the sub-select once more, and so its conditions stay as they are.
    return (
        f"{scope.key} IN (SELECT DISTINCT ON ({identifier}) {scope.key} FROM {scope.source()}"
        f"{' WHERE ' if where else ''}{where} ORDER BY {identifier}, {newest})"
    )


def sub_select(
    scope: Scope, select: Select, rows: int, number: int
) -> tuple[str, SubSelectColumn]:
    """A to-many sub-select as one correlated expression that yields its answer as JSON text.

    ``rows`` is the most rows it answers with, whatever its PAGESIZE says; ``number`` is the place of the sub-select
    among its like, by which its further pages are asked for. Raises VqlNameError, VqlLimitError.
    """
    statement = scope.statement
    child, reference = statement.child(scope.object, select.source, select.at)
    pagesize = (
        rows if select.limits.pagesize is None else min(select.limits.pagesize, rows)
    )
    if pagesize < 1:
        message = (
            f"PAGESIZE of a sub-select is at least 1 ({statement.place(select.at)})"
        )
        raise VqlLimitError(message)
    # The parser leaves no sub-select within a sub-select.
    items = [item for item in select.items if isinstance(item, Item)]
    inner, near = Scope(statement, child, select), f'{scope.alias}."id"'
    columns = field_columns(inner, items)
    where = f"{inner.alias}.{quoted(reference.name)} = {near}"
    matching = matching_sql(inner, select)
    where += f" AND {matching}" if matching else ""
    order = order_sql(inner, select.order, select.find)
    row = _row_json(statement, columns)
    size = statement.bind(pagesize, "bigint")
    address = statement.bind(ChildAddress(number), "text")
    page, sub = statement.alias(), inner.source()
    sql = (
        f"""(SELECT concat('{{"responseDetails":{{"pagesize":', {size}, ',"pageoffset":0,"size":', count(*),"""
        f""" ',"total":', coalesce(max({page}.total), 0), CASE WHEN max({page}.total) > count(*) THEN"""
        f""" concat(',"next_page":"', {address}, {near}, '?pagesize=', {size}, '&pageoffset=', {size}, '"') END,"""
        f"""  '}},"data":[', string_agg({page}.data, ','), ']}}')"""
        f" FROM (SELECT {row} AS data, count(*) OVER () AS total"
        f" FROM {sub} WHERE {where} ORDER BY {order} LIMIT {size}) {page})"
    )
    return sql, SubSelectColumn(
        select.source, child, tuple(column for _, column in columns)
    )


def _row_json(statement: Statement, columns: Sequence[tuple[str, Column]]) -> str:
    """One row as a JSON object's text; an array has no limit of elements as function calls have."""
    parts = []
    for number, (sql, column) in enumerate(columns):
        key = f"{',' if number else '{'}{json.dumps(column.key)}:"
        parts.append(f"{statement.bind(key, 'text')}, to_json({sql})::text")
    return f"array_to_string(ARRAY[{', '.join(parts)}, '}}'], '', 'null')"
