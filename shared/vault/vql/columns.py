"""Compiles selected fields to SQL that already yields the API's encoding of values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from shared.vault.components.model import Field, FieldType, VaultObject
from shared.vault.vql.conditions import condition_sql
from shared.vault.vql.errors import VqlLimitError
from shared.vault.vql.literals import is_integer
from shared.vault.vql.resolve import Scope, Statement, quoted
from shared.vault.vql.tree import Item, Order, Select

SHORT_TEXT = 250  # characters of a long text that is selected without LONGTEXT()
MAX_ITEMS = 500  # selected in one SELECT
MAX_SUBSELECTS = 20

_LONG = frozenset((FieldType.LONG_TEXT, FieldType.RICH_TEXT))
_FUNCTIONS = {"LONGTEXT": _LONG, "RICHTEXT": frozenset((FieldType.RICH_TEXT,))}


@dataclass(frozen=True, slots=True)
class Column:
    """One output column: its key in a row, the field it shows, and how it was asked for."""

    key: str
    field: Field
    function: str | None = None
    alias: bool = False


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
            if earlier.path.parts != item.path.parts or earlier.function != item.function:
                message = f"[{key}] is selected twice in different ways; give one an alias"
                raise scope.statement.fault(message, item.path.at)
            continue
        sql, field, owner = scope.column(item.path)
        _check_function(scope, item, field, owner)
        column = Column(key, field, item.function, item.alias is not None)
        columns.append((_encoded(sql, field, full=item.function is not None), column))
    return columns


def _check_function(scope: Scope, item: Item, field: Field, owner: VaultObject) -> None:
    if item.function is None:
        return
    takes = _FUNCTIONS.get(item.function)
    if takes is None:
        message = f"function [{item.function[:40]}] is not available in SELECT"
        raise scope.statement.fault(message, item.path.at, "ATTRIBUTE_NOT_SUPPORTED")
    if field.type not in takes:
        message = f"field [{field.name}] of object [{owner.name}]: {item.function} does not take its type"
        raise scope.statement.fault(message, item.path.at)


def _encoded(sql: str, field: Field, *, full: bool) -> str:
    kind = field.type
    if kind is FieldType.PICKLIST:
        return sql if field.multi_value else f"CASE WHEN {sql} IS NULL THEN NULL ELSE ARRAY[{sql}] END"
    if kind is FieldType.DATE:
        return f"to_char({sql}, 'YYYY-MM-DD')"
    if kind is FieldType.DATE_TIME:
        return f"""to_char({sql} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"""
    if kind is FieldType.NUMBER and not is_integer(field):
        return f"{sql}::float8"
    if kind in _LONG and not full:
        return f"left({sql}, {SHORT_TEXT})"
    return sql


def order_sql(scope: Scope, order: Sequence[Order]) -> str:
    """ORDER BY terms, the id last so that the order is total; records without a value come last."""
    terms = []
    for term in order:
        sql, field, owner = scope.column(term.path)
        if field.type in _LONG or field.multi_value:
            message = f"field [{field.name}] of object [{owner.name}] cannot be sorted by"
            raise scope.statement.fault(message, term.path.at)
        terms.append(f"{sql} {'DESC' if term.descending else 'ASC'} NULLS LAST")
    terms.append(f'{scope.alias}."id"')
    return ", ".join(terms)


def sub_select(scope: Scope, select: Select, rows: int) -> tuple[str, SubSelectColumn]:
    """A to-many sub-select as one correlated expression that yields its answer as JSON text.

    ``rows`` is the most rows it answers with, whatever its PAGESIZE says. Raises VqlNameError, VqlLimitError.
    """
    statement = scope.statement
    child, reference = statement.child(scope.object, select.source, select.at)
    pagesize = rows if select.limits.pagesize is None else min(select.limits.pagesize, rows)
    if pagesize < 1:
        message = f"PAGESIZE of a sub-select is at least 1 ({statement.place(select.at)})"
        raise VqlLimitError(message)
    # The parser leaves no sub-select within a sub-select.
    items = [item for item in select.items if isinstance(item, Item)]
    inner = Scope(statement, child)
    columns = field_columns(inner, items)
    where = f'{inner.alias}.{quoted(reference.name)} = {scope.alias}."id"'
    if select.where is not None:
        where += f" AND {condition_sql(inner, select.where)}"
    order = order_sql(inner, select.order)
    row = _row_json(statement, columns)
    size = statement.bind(pagesize, "bigint")
    page, sub = statement.alias(), inner.source()
    sql = (
        f"""(SELECT concat('{{"responseDetails":{{"pagesize":', {size}, ',"pageoffset":0,"size":', count(*),"""
        f""" ',"total":', coalesce(max({page}.total), 0), '}},"data":[', string_agg({page}.data, ','), ']}}')"""
        f" FROM (SELECT {row} AS data, count(*) OVER () AS total"
        f" FROM {sub} WHERE {where} ORDER BY {order} LIMIT {size}) {page})"
    )
    return sql, SubSelectColumn(select.source, child, tuple(column for _, column in columns))


def _row_json(statement: Statement, columns: Sequence[tuple[str, Column]]) -> str:
    """One row as a JSON object's text; an array has no limit of elements as function calls have."""
    parts = []
    for number, (sql, column) in enumerate(columns):
        key = f"{',' if number else '{'}{json.dumps(column.key)}:"
        parts.append(f"{statement.bind(key, 'text')}, to_json({sql})::text")
    return f"array_to_string(ARRAY[{', '.join(parts)}, '}}'], '', 'null')"
