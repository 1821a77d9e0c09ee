"""Compiles selected fields, their order, and to-many sub-selects to SQL that yields the API's encoding of values."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import assert_never

from shared.protocol.error_types import ErrorType
from shared.vault.model.component_model import Field, FieldType, VaultObject
from shared.vault.model.field_types import (
    NEVER_EMPTY,
    is_integer,
    plain_text_sql,
    quoted,
    traits,
)
from shared.vault.vql.conditions import matching_sql
from shared.vault.vql.deferred import ChildAddress
from shared.vault.vql.find import rank_sql
from shared.vault.vql.functions import (
    SHORT_TEXT,
    Function,
    applied,
    as_array,
    is_file_function,
    label_sql,
    named_file,
)
from shared.vault.vql.numbered_ids import in_number_order, key_order, numbered
from shared.vault.vql.resolve import DOCUMENT_ID, Scope, Statement
from shared.vault.vql.syntax_tree import (
    Expression,
    Find,
    Item,
    Order,
    Path,
    Rank,
    Select,
    bounded_by_lists,
)
from shared.vault.vql.vql_errors import VqlLimitError

MAX_ITEMS = 500  # selected in one SELECT
MAX_SUBSELECTS = 20


@dataclass(frozen=True, slots=True)
class Column:
    """One output column: its key in a row, the field that it shows, and the function applied to the field.

    ``alias`` says that the key is an alias in the statement; ``own`` is False for fields behind a relationship.
    """

    key: str
    field: Field
    function: str | None = None
    alias: bool = False
    own: bool = True

    @property
    def is_decimal(self) -> bool:
        """Return whether the values are numbers with decimals."""
        # Their every digit counts: they travel as text, not as floating point numbers.
        unchanged = (None, Function.TONAME)
        if self.function not in unchanged:
            return False
        field = self.field
        return field.type is FieldType.NUMBER and not is_integer(field)


@dataclass(frozen=True, slots=True)
class SubSelectColumn:
    """One output column with the result of a to-many sub-select as JSON text; its key is the relationship's name.

    ``rows`` is the largest number of its rows.
    """

    key: str
    source: VaultObject
    columns: tuple[Column, ...]
    rows: int


def field_columns(scope: Scope, items: Sequence[Item]) -> list[tuple[str, Column]]:
    """Return the SQL and the column of each selected field; a field that is selected twice has one column.

    :raises VqlNameError: a name or function cannot be selected, or two fields would have the same key.
    :raises VqlLimitError: there are more than ``MAX_ITEMS``.
    """
    if len(items) > MAX_ITEMS:
        raise VqlLimitError(f"a SELECT takes at most {MAX_ITEMS} fields")
    found: dict[str, Item] = {}
    columns = []
    for item in items:
        earlier = found.setdefault(item.key, item)
        if earlier is item:
            columns.append(_field_column(scope, item))
        elif _selected(earlier) != _selected(item):
            message = f"[{item.key}] is selected twice in different ways"
            hint = "give one an alias"
            raise scope.statement.fault(f"{message}; {hint}", item.path.at)
    return columns


def _selected(item: Item) -> tuple[tuple[str, ...], str | None]:
    return item.path.parts, item.function


def _field_column(scope: Scope, item: Item) -> tuple[str, Column]:
    sql, field = selected_sql(scope, item.path, item.function)
    # Rows say id, also where a statement writes ID.
    key = field.name if item.key == DOCUMENT_ID else item.key
    has_alias = item.alias is not None
    is_own = len(item.path.parts) == 1
    return sql, Column(key, field, item.function, has_alias, is_own)


def selected_sql(
    scope: Scope,
    path: Path,
    name: str | None,
) -> tuple[str, Field]:
    """Return the SQL of a selected field or function of one, and the field.

    :raises VqlNameError: there is no such field or function, or the function does not take the field.
    :raises VqlLimitError: the path leads over too many relationships.
    """
    column = scope.column(path)
    if name is not None:
        sql = applied(scope, path, name, column)
        shown = encoded(sql, column.field) if name == Function.TONAME else sql
        return shown, column.field
    if scope.shows_label(column.field, column.owner):
        return label_sql(scope, path).sql, column.field
    return encoded(column.sql, column.field), column.field


def encoded(sql: str, field: Field) -> str:
    """Return the SQL of a field's value as the API encodes it; numbers with decimals are still numeric."""
    kind = field.type
    match kind:
        case FieldType.PICKLIST:
            return sql if field.multi_value else as_array(sql)
        case FieldType.DATE:
            return f"to_char({sql}, 'YYYY-MM-DD')"
        case FieldType.DATE_TIME:
            pattern = """'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'"""
            return f"to_char({sql} AT TIME ZONE 'UTC', {pattern})"
        case FieldType.LONG_TEXT:
            return f"left({sql}, {SHORT_TEXT})"
        case FieldType.RICH_TEXT:
            # Cut without its markup: a tag cut in two would be shown as text.
            return f"left({plain_text_sql(sql)}, {SHORT_TEXT})"
        case (
            FieldType.ID
            | FieldType.STRING
            | FieldType.NUMBER
            | FieldType.BOOLEAN
            | FieldType.OBJECT
            | FieldType.ATTACHMENT
        ):
            return sql
        case _:
            assert_never(kind)


@dataclass(frozen=True, slots=True)
class Term:
    """One term of ORDER BY; ``empty`` says where rows without a value come, or is None without such rows.

    ``field`` is the name of the sorted field of the object itself, empty for any other term.
    """

    expression: str
    descending: bool = False
    empty: str = ""
    field: str = ""

    @property
    def sql(self) -> str:
        """Return the term as SQL."""
        if not self.empty:
            return f"{self.expression} DESC" if self.descending else self.expression
        direction = "DESC" if self.descending else "ASC"
        return f"{self.expression} {direction} NULLS {self.empty}"

    @property
    def backwards(self) -> str:
        """Return the term of the opposite order as SQL."""
        opposite = {"": "", "FIRST": "LAST", "LAST": "FIRST"}[self.empty]
        return Term(self.expression, not self.descending, opposite).sql


def order_sql(
    scope: Scope,
    order: Sequence[Order | Rank],
    find: Find | None,
) -> str:
    """Return the ORDER BY terms of a SELECT as SQL.

    :raises VqlNameError: a field cannot be sorted by.
    """
    return ", ".join(term.sql for term in order_terms(scope, order, find))


def order_terms(
    scope: Scope,
    order: Sequence[Order | Rank],
    find: Find | None,
) -> list[Term]:
    """Return the ORDER BY terms of a SELECT.

    :raises VqlNameError: a field cannot be sorted by.
    """
    # What FIND has found comes by rank unless the statement says otherwise.
    if find is not None and not order:
        order = (Rank(find.at),)
    terms = [_order_term(scope, term, find) for term in order]
    # The id last, so that the order is total and pages do not overlap.
    terms.append(Term(key_order(scope)))
    return terms


def id_order(scope: Scope, where: Expression | None) -> str:
    """Return the SQL that orders a result by id only.

    If lists of values bound the result, the SQL has a form that no index serves. Such a result is short, but PostgreSQL
    does not know how long the lists are: by an index it would read the whole table in the order of ids, and look for
    each record in the lists.
    """
    fields = scope.object.fields.values()
    keys = {
        field.name for field in fields if field.unique or field.type is FieldType.ID
    }
    is_number = key_order(scope) != scope.key
    bounded = scope.of_table and not is_number and bounded_by_lists(where, keys)
    return f"{scope.key} || ''" if bounded else key_order(scope)


def _order_term(
    scope: Scope,
    term: Order | Rank,
    find: Find | None,
) -> Term:
    if isinstance(term, Rank):
        if find is None:
            raise scope.statement.fault("ORDER BY RANK goes with FIND only", term.at)
        return Term(rank_sql(scope, find), descending=True)
    expression = _sorted_by(scope, term)
    path, function = scope.aliased(term.path, term.function)
    is_own = scope.of_table and len(path.parts) == 1 and function is None
    own = path.parts[0] if is_own else ""
    # Records without a value come last; those of raw objects first, unless the order descends.
    empty = "FIRST" if scope.object.raw and not term.descending else "LAST"
    # Without a word about what cannot be, the order is that of an index.
    if own in NEVER_EMPTY:
        empty = ""
    return Term(expression, term.descending, empty, own)


def _sorted_by(scope: Scope, term: Order) -> str:
    path, function = scope.aliased(term.path, term.function)
    if function is not None and is_file_function(function):
        sql, _ = named_file(scope, path, function)
        return sql
    if function == Function.TOLABEL:
        column = label_sql(scope, path)
    elif term.function is None:
        column = scope.column(path)
    else:
        message = "of the functions ORDER BY takes TOLABEL and FILENAME only"
        raise scope.statement.fault(
            message, term.path.at, ErrorType.ATTRIBUTE_NOT_SUPPORTED
        )
    field = column.field
    if field.multi_value or not traits(field.type).sorted:
        shown = f"field [{field.name}] of object [{column.owner.name}]"
        raise scope.statement.fault(f"{shown} cannot be sorted by", term.path.at)
    if numbered(scope, field, column.owner):
        return in_number_order(column.sql)
    return column.sql


def latest_sql(scope: Scope, where: str) -> str:
    """Return the condition that selects the newest version of each document among the rows that meet ``where``."""
    target = scope.statement.targets[scope.object.name]
    newest = ", ".join(f"{scope.alias}.{quoted(name)} DESC" for name in target.newest)
    identifier = f'{scope.alias}."id"'
    condition = f" WHERE {where}" if where else ""
    # The aliases of the statement are those of the sub-select once more, and so its conditions stay as they are.
    return (
        f"{scope.key} IN (SELECT DISTINCT ON ({identifier}) {scope.key} FROM {scope.source()}"
        f"{condition} ORDER BY {identifier}, {newest})"
    )


def sub_select(
    scope: Scope,
    select: Select,
    rows: int,
    number: int,
) -> tuple[str, SubSelectColumn]:
    """Return a sub-select through a relationship as one correlated SQL expression, which has the result as JSON text.

    ``rows`` is the maximum number of rows, also for a larger PAGESIZE; ``number`` counts the to-many sub-selects
    of the statement from 0, for the addresses of further pages.

    :raises VqlNameError: the relationship or a name in the sub-select does not exist or may not be read.
    """
    statement = scope.statement
    related = statement.related(scope.object, select.source, select.at)
    child = related.object
    size = min(select.limits.pagesize or rows, rows)
    inner, parent_id = Scope(statement, child, select), f'{scope.alias}."id"'
    # The parser leaves no sub-select within a sub-select.
    items = [item for item in select.items if isinstance(item, Item)]
    columns = field_columns(inner, items)
    conditions = [f"{inner.alias}.{related.far} = {scope.alias}.{related.near}"]
    matching = matching_sql(inner, select)
    if matching:
        conditions.append(matching)
    where = " AND ".join(conditions)
    order = order_sql(inner, select.order, select.find)
    row = _row_json(statement, columns)
    limit = statement.bind(size, "bigint")
    address = statement.bind(ChildAddress(number), "text")
    page, source = statement.alias(), inner.source()
    # count(*) is of the rows shown, total of all: the window is computed before LIMIT.
    sql = (
        f"""(SELECT concat('{{"responseDetails":{{"pagesize":', {limit}, ',"pageoffset":0,"size":', count(*),"""
        f""" ',"total":', coalesce(max({page}.total), 0), CASE WHEN max({page}.total) > count(*) THEN"""
        f""" concat(',"next_page":"', {address}, {parent_id}, '?pagesize=', {limit},"""
        f""" '&pageoffset=', {limit}, '"') END,"""
        f"""  '}},"data":[', string_agg({page}.data, ','), ']}}')"""
        f" FROM (SELECT {row} AS data, count(*) OVER () AS total"
        f" FROM {source} WHERE {where} ORDER BY {order} LIMIT {limit}) {page})"
    )
    shown = tuple(column for _, column in columns)
    return sql, SubSelectColumn(select.source, child, shown, size)


def _row_json(statement: Statement, columns: Sequence[tuple[str, Column]]) -> str:
    """Return the SQL of one row as a JSON object's text."""
    parts = []
    for number, (sql, column) in enumerate(columns):
        opening = "," if number else "{"
        key = f"{opening}{json.dumps(column.key)}:"
        holder = statement.bind(key, "text")
        parts.append(f"{holder}, to_json({sql})::text")
    # An array has no limit of elements as function calls have: json_build_object takes 100 arguments.
    elements = ", ".join([*parts, "'}'"])
    return f"array_to_string(ARRAY[{elements}], '', 'null')"


# How many rows a page has, so that no answer takes more memory than a few do

MAX_PAGE_CHARACTERS = 32 * 2**20
"""Characters that the rows of a page may have at most; one row is a page, whatever it has."""
_SHORT = 50  # of a number, a date, an id or a picklist value
# Children with less are as short as most records are, and rarely as many as a sub-select takes.
_LONG_CHILD = 2000


def bounded_rows(
    columns: Iterable[Column | SubSelectColumn],
    wanted: int,
) -> int:
    """Return how many of the wanted rows fit on a page, by the maximum lengths of their fields."""
    longest = sum(_longest(column) for column in columns)
    room = MAX_PAGE_CHARACTERS // max(longest, 1)
    return max(1, min(wanted, room))


def _longest(column: Column | SubSelectColumn) -> int:
    """Return the characters of the longest value that a column may have."""
    if isinstance(column, Column):
        return _of_field(column)
    row = sum(_of_field(child) for child in column.columns)
    if row > _LONG_CHILD:
        return row * column.rows
    return row


def _of_field(column: Column) -> int:
    field = column.field
    is_whole = column.function in (Function.LONGTEXT, Function.RICHTEXT)
    is_long = field.type in (FieldType.LONG_TEXT, FieldType.RICH_TEXT)
    if is_long and not is_whole:
        return SHORT_TEXT
    return field.max_length or _SHORT
