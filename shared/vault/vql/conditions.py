"""Compiles a WHERE expression to SQL over a scope, with every literal as a parameter."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple, assert_never

from shared.vault.model.component_model import VaultObject
from shared.vault.model.field_types import (
    ValueClass,
    document_relationship,
    outbound,
    quoted,
    traits,
    value_class,
)
from shared.vault.vql.deferred import Edge
from shared.vault.vql.find import find_sql
from shared.vault.vql.operands import DATES, LeftSide
from shared.vault.vql.resolve import Scope
from shared.vault.vql.resolved_paths import FieldColumn
from shared.vault.vql.state_conditions import (
    EQUALITY,
    in_document_states,
    in_states_of_type,
)
from shared.vault.vql.syntax_tree import (
    And,
    Between,
    Comparison,
    Condition,
    Contains,
    Expression,
    InSelect,
    Item,
    Like,
    Literal,
    Operator,
    Or,
    Path,
    RelativeDate,
    Select,
    StateFunction,
    StateType,
    Token,
)
from shared.vault.vql.word_index import narrowed

Sources = set[tuple[str, ...]]
"""The to-one relationship chains that an expression's fields lie behind."""


def condition_sql(scope: Scope, expression: Expression) -> str:
    """Return the SQL of an expression.

    :raises VqlNameError: a name does not exist, or a literal does not suit its field.
    :raises VqlLimitError: the expression uses too many relationships or words.
    """
    sql, _ = _expression(scope, expression)
    return sql


def matching_sql(
    scope: Scope,
    select: Select,
) -> str:
    """Return FIND and WHERE of a SELECT as one condition; empty when it has neither.

    :raises VqlError: as ``condition_sql`` does.
    """
    terms = []
    find, where = select.find, select.where
    if find is not None:
        terms.append(find_sql(scope, find))
    if where is not None:
        terms.append(condition_sql(scope, where))
    return " AND ".join(terms)


def _expression(scope: Scope, expression: Expression) -> tuple[str, Sources]:
    """Return the SQL of an expression, and the relationships that its fields are reached by."""
    if not isinstance(expression, And | Or):
        path, _ = scope.aliased(expression.operand.path, None)
        return _condition(scope, expression), {path.parts[:-1]}
    parts: list[str] = []
    sources: Sources = set()
    for term in expression.terms:
        sql, behind = _expression(scope, term)
        parts.append(sql)
        sources |= behind
        if isinstance(expression, Or) and len(sources) > 1:
            message = "OR combines conditions on different objects"
            raise scope.statement.fault(message, _first_at(term))
    connective = " OR " if isinstance(expression, Or) else " AND "
    return f"({connective.join(parts)})", sources


def _first_at(expression: Expression) -> int:
    while isinstance(expression, And | Or):
        expression = expression.terms[0]
    operand = expression.operand
    return operand.path.at


def _condition(scope: Scope, condition: Condition) -> str:
    match condition:
        case InSelect():
            return _semi_join(scope, condition)
        case Comparison():
            return _comparison(scope, condition)
        case Contains():
            return _contains(scope, condition)
        case Between():
            return _between(scope, condition)
        case Like():
            return _like(scope, condition)
        case _:
            assert_never(condition)


# Comparisons


def _comparison(scope: Scope, condition: Comparison) -> str:
    value = condition.value
    # The states of documents are those of two fields, which this finds itself.
    if isinstance(value, StateFunction):
        return in_document_states(scope, condition, value)
    left = LeftSide(scope, condition.operand)
    match value:
        case None:
            return _null_test(left, condition)
        case RelativeDate():
            return _date_literal(left, condition, value)
        case StateType():
            return in_states_of_type(left, condition, value)
        case str() | bool() | int() | Decimal() | Token():
            return _compared(left, condition)
        case _:
            assert_never(value)


def _null_test(left: LeftSide, condition: Comparison) -> str:
    if condition.operator not in EQUALITY:
        raise left.unsuitable("null goes with = and != only", condition.at)
    negation = "NOT " if condition.operator is Operator.NOT_EQUAL else ""
    return f"{left.sql} IS {negation}NULL"


def _compared(left: LeftSide, condition: Comparison) -> str:
    operator, value, at = condition.operator, condition.value, condition.at
    match operator:
        case Operator.LESS | Operator.GREATER | Operator.AT_MOST | Operator.AT_LEAST:
            left.require_order()
            return f"{left.ordered_sql} {operator} {left.bind(value, at)}"
        case Operator.EQUAL if left.multi_value:
            return f"{left.sql} @> {left.bind_list((value,), at)}"
        case Operator.EQUAL:
            return left.by_reference(equals(left, value, at))
        case Operator.NOT_EQUAL if left.multi_value:
            return f"({left.sql} @> {left.bind_list((value,), at)}) IS NOT TRUE"
        case Operator.NOT_EQUAL:
            return unequal(left, value, at)
        case _:
            assert_never(operator)


def _date_literal(
    left: LeftSide,
    condition: Comparison,
    literal: RelativeDate,
) -> str:
    """Return a comparison with the span of a date literal: before it, after it, within it or outside it."""
    if not left.is_date:
        raise left.unsuitable(DATES, condition.at)
    days = value_class(left.field.type) is ValueClass.DATE
    sql_type = "date" if days else "timestamptz"

    def edge(*, end: bool) -> str:
        return left.scope.statement.bind(Edge(literal, end, days), sql_type)

    operator = condition.operator
    match operator:
        case Operator.LESS | Operator.AT_LEAST:
            return f"{left.sql} {operator} {edge(end=False)}"
        # The end is the first moment behind the span, so that <= is below it.
        case Operator.AT_MOST:
            return f"{left.sql} < {edge(end=True)}"
        case Operator.GREATER:
            return f"{left.sql} >= {edge(end=True)}"
        case Operator.EQUAL | Operator.NOT_EQUAL:
            begun = f"{left.sql} >= {edge(end=False)}"
            within = f"({begun} AND {left.sql} < {edge(end=True)})"
            return within if operator is Operator.EQUAL else f"{within} IS NOT TRUE"
        case _:
            assert_never(operator)


# Other conditions


def _contains(scope: Scope, condition: Contains) -> str:
    left = LeftSide(scope, condition.operand)
    values, at = condition.values, condition.at
    if left.multi_value:
        return f"{left.sql} && {left.bind_list(values, at)}"
    return left.by_reference(among_texts(left, values, at))


def _between(scope: Scope, condition: Between) -> str:
    left = LeftSide(scope, condition.operand)
    left.require_order()
    low = left.bind(condition.low, condition.at)
    high = left.bind(condition.high, condition.at)
    return f"{left.ordered_sql} BETWEEN {low} AND {high}"


def _like(scope: Scope, condition: Like) -> str:
    left = LeftSide(scope, condition.operand)
    if not left.is_text:
        raise left.unsuitable("LIKE takes text fields only", left.at)
    return like(left, condition.segments, condition.at)


# IN (SELECT …): records that a relationship leads to others from


class _Join(NamedTuple):
    """The path of a semi-join: the related object, its column to compare, and the fields its sub-select may name.

    ``tested`` is the SQL that is compared with that column.
    """

    target: VaultObject
    selected: str
    allowed: tuple[str, ...]
    tested: str


def _semi_join(scope: Scope, condition: InSelect) -> str:
    """Return a semi-join through a relationship of the operand's object.

    To-many, ``id IN (SELECT id FROM addresses__vr …)``: records with such a child; the sub-select may name the
    reference field for ``id``. To-one, ``account__v IN (SELECT id FROM account__vr …)``: records that refer to one.
    """
    statement, select = scope.statement, condition.select
    operand = condition.operand
    statement.count_semi_join(condition.at)
    path, function = scope.aliased(operand.path, operand.function)
    if function is not None:
        raise statement.fault("a function does not go with IN", operand.path.at)
    column = scope.column(path)
    join = _joined(scope, condition, path, column)
    if not _selects_one_of(select, join.allowed):
        names = " or ".join(join.allowed)
        message = f"a sub-select of IN through [{select.source}] selects {names}"
        raise statement.fault(message, select.at)
    inner = Scope(statement, join.target, select)
    matching = matching_sql(inner, select)
    where = f" WHERE {matching}" if matching else ""
    selected = f"{inner.alias}.{quoted(join.selected)}"
    # The joins of the source are known only now: the conditions have added them.
    return f"{join.tested} IN (SELECT {selected} FROM {inner.source()}{where})"


def _selects_one_of(select: Select, allowed: tuple[str, ...]) -> bool:
    match select.items:
        case (Item(function=None) as item,):
            return item.path.text in allowed
        case _:
            return False


def _joined(
    scope: Scope,
    condition: InSelect,
    path: Path,
    column: FieldColumn,
) -> _Join:
    statement, select = scope.statement, condition.select
    reference = outbound(column.owner, select.source)
    # A field with a cast is no reference column: it holds the id of a user as a number.
    if reference is not None and not reference.cast:
        field = column.owner.fields[reference.field]
        # The relationship of documents is one of many to many: from both of its ends it is tested with the id.
        both_ways = select.source == document_relationship(field)
        expected = ("id", field.name) if both_ways else (field.name,)
        target = statement.object(reference.target, select.at)
        tested = scope.column(Path((*path.parts[:-1], field.name), path.at))
        join = _Join(target, "id", ("id",), tested.sql)
    else:
        expected = ("id",)
        child, referring = statement.child(column.owner, select.source, select.at)
        allowed = ("id", referring.name)
        join = _Join(child, referring.name, allowed, column.sql)
    if column.field.name not in expected:
        message = (
            f"the relationship [{select.source}] is tested with [{expected[0]}] IN,"
            f" not with [{column.field.name}]"
        )
        raise statement.fault(message, condition.operand.path.at)
    return join


# Texts: which of them a condition takes for equal, and how the search index finds records with them


def equals(left: LeftSide, value: Literal, at: int) -> str:
    """Return the condition that a column has a value.

    :raises VqlNameError: the literal does not suit the field.
    """
    if not isinstance(value, str):
        return f"{left.sql} = {left.bind(value, at)}"
    condition = _equality(left, value, at)
    # Values that half of the records have are compared with "=" as well: those are read in the order of ids, until a
    # page is full.
    if not (left.covered and left.ignore_case):
        return condition
    return narrowed(left.scope, condition, value, whole=True)


def unequal(left: LeftSide, value: Literal, at: int) -> str:
    """Return the condition that a column has another value than the literal, or none.

    :raises VqlNameError: the literal does not suit the field.
    """
    # It also holds for records without a value.
    if isinstance(value, str) and len(_forms(left, value)) > 1:
        return f"({_equality(left, value, at)}) IS NOT TRUE"
    return f"{left.sql} IS DISTINCT FROM {left.bind(value, at)}"


def among_texts(left: LeftSide, values: Sequence[Literal], at: int) -> str:
    """Return the condition that a column has one of some values.

    :raises VqlNameError: a literal does not suit the field.
    """
    # Most values have one form only: a list of thousands of ids stays the list that it is.
    several = [text for text in values if isinstance(text, str) and not text.isascii()]
    further = [form for text in several for form in _forms(left, text)[1:]]
    holder = left.bind_list([*values, *further] if further else values, at)
    if left.ignore_case:
        # Both sides are lowered by PostgreSQL, whose rules for case are not Python's.
        return f"{left.sql} IN (SELECT platform.caseless(v) FROM unnest({holder}) AS v)"
    return left.equal_to(holder, several=True)


def like(left: LeftSide, segments: Sequence[str], at: int) -> str:
    """Return the condition that a text contains these parts in order, the first one at its beginning.

    :raises VqlNameError: the field has no text.
    """
    patterns = [
        "%".join(map(_like_text, form.split("\0")))
        for form in _forms(left, "\0".join(segments))
    ]
    if len(patterns) == 1:
        condition = f"{left.sql} LIKE {left.bind(patterns[0], at)}"
    else:
        condition = f"{left.sql} LIKE ANY({left.bind_list(patterns, at)})"
    if not left.covered:
        return condition
    whole = len(segments) == 1
    return narrowed(left.scope, condition, segments[0], whole=whole)


def _equality(left: LeftSide, value: str, at: int) -> str:
    forms = _forms(left, value)
    if len(forms) == 1:
        return left.equal_to(left.bind(value, at))
    return left.equal_to(left.bind_list(forms, at), several=True)


def _forms(left: LeftSide, text: str) -> list[str]:
    """Return a text as written, and also composed and decomposed where these differ.

    Keys have one form: integrations match by them, so they stay unchanged to the last byte. PostgreSQL itself composes
    both sides of comparisons that ignore case.
    """
    is_key = left.field.unique or not traits(left.field.type).plain_text
    if is_key or left.ignore_case or text.isascii():
        return [text]
    composed = unicodedata.normalize("NFC", text)
    decomposed = unicodedata.normalize("NFD", text)
    return list(dict.fromkeys((text, composed, decomposed)))


def _like_text(segment: str) -> str:
    # VQL has the wildcard % only; in SQL _ is one too. The backslash first: the others bring their own.
    escaped = segment.replace("\\", r"\\")
    return escaped.replace("%", r"\%").replace("_", r"\_")
