"""Compiles a WHERE expression to SQL over a scope, with every literal as a parameter."""

from __future__ import annotations

from shared.vault.model.component_model import (
    Field,
    FieldType,
    VaultObject,
    state_type_name,
)
from shared.vault.vql.deferred import Edge
from shared.vault.vql.find import find_sql
from shared.vault.vql.operands import DATES, Column
from shared.vault.vql.resolve import Scope, outbound, quoted
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
    Or,
    Path,
    RelativeDate,
    StateFunction,
    StateType,
)

_EQUALITY = frozenset(("=", "!="))
_STATES_EQUAL = "functions of states go with = and != only"

Sources = set[tuple[str, ...]]
"""The to-one relationship chains that an expression's fields lie behind."""


def condition_sql(scope: Scope, expression: Expression) -> str:
    """The SQL of an expression; raises VqlNameError, VqlLimitError."""
    return _expression(scope, expression)[0]


def _expression(scope: Scope, expression: Expression) -> tuple[str, Sources]:
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
    return (
        f"({(' OR ' if isinstance(expression, Or) else ' AND ').join(parts)})",
        sources,
    )


def _first_at(expression: Expression) -> int:
    while isinstance(expression, And | Or):
        expression = expression.terms[0]
    return expression.operand.path.at


def _condition(scope: Scope, condition: Condition) -> str:
    if isinstance(condition, InSelect):
        return semi_join_sql(scope, condition)
    if isinstance(condition, Comparison) and isinstance(condition.value, StateFunction):
        return _in_document_states(scope, condition, condition.value)
    column = Column(scope, condition.operand)
    if isinstance(condition, Comparison):
        return _comparison(column, condition)
    if isinstance(condition, Contains):
        return _contains(column, condition)
    if isinstance(condition, Between):
        return _between(column, condition)
    return _like(column, condition)


def _comparison(column: Column, condition: Comparison) -> str:
    operator, at, value = condition.operator, condition.at, condition.value
    if value is None:
        if operator not in _EQUALITY:
            raise column.unsuitable("null goes with = and != only", at)
        return f"{column.sql} IS {'NOT ' if operator == '!=' else ''}NULL"
    if isinstance(value, RelativeDate):
        return _date_literal(column, operator, value, at)
    if isinstance(value, StateType):
        if operator not in _EQUALITY:
            raise column.unsuitable(_STATES_EQUAL, at)
        return _among(
            column.scope, column.sql, operator, _states_of_type(column, value, at)
        )
    if operator not in _EQUALITY:
        column.require_order()
        return f"{column.sql} {operator} {column.bind(value, at)}"
    if column.multi_value:
        has = f"{column.sql} @> {column.bind_list((value,), at)}"
        return has if operator == "=" else f"({has}) IS NOT TRUE"
    # != also holds for records without a value.
    sign = "=" if operator == "=" else "IS DISTINCT FROM"
    return f"{column.sql} {sign} {column.bind(value, at)}"


def _date_literal(column: Column, operator: str, literal: RelativeDate, at: int) -> str:
    """A comparison with a span: below its begin, from its end on, within or outside of it."""
    if column.field.type not in DATES:
        raise column.unsuitable(
            "date literals go with comparison operators and with dates only", at
        )
    days = column.field.type is FieldType.DATE
    sql_type = "date" if days else "timestamptz"

    def edge(*, end: bool) -> str:
        return column.scope.statement.bind(Edge(literal, end, days), sql_type)

    if operator in ("<", ">="):
        return f"{column.sql} {operator} {edge(end=False)}"
    if operator in ("<=", ">"):
        return f"{column.sql} {'<' if operator == '<=' else '>='} {edge(end=True)}"
    within = f"({column.sql} >= {edge(end=False)} AND {column.sql} < {edge(end=True)})"
    return within if operator == "=" else f"{within} IS NOT TRUE"


def _among(scope: Scope, sql: str, operator: str, names: list[str]) -> str:
    found = f"{sql} = ANY({scope.statement.bind(names, 'text[]')})"
    return found if operator == "=" else f"({found}) IS NOT TRUE"


def _states_of_type(column: Column, value: StateType, at: int) -> list[str]:
    lifecycle = column.scope.statement.registry.lifecycles.get(
        column.owner.lifecycle or ""
    )
    if column.field.name != "state__v" or lifecycle is None or column.label:
        raise column.unsuitable(
            "STATETYPE goes with state__v of objects that have a lifecycle", at
        )
    wanted = state_type_name(value.name)
    return [
        state.name for state in lifecycle.states.values() if state.state_type == wanted
    ]


def _in_document_states(
    scope: Scope, condition: Comparison, value: StateFunction
) -> str:
    """A state counts with its lifecycle: those of the same name in two lifecycles may be of different types."""
    path, function = scope.aliased(condition.operand.path, condition.operand.function)
    status, field, owner = scope.column(path)
    target = scope.statement.targets.get(owner.name)
    if target is None or not target.documents:
        message = f"function [{value.name}] is for queries of documents"
        raise scope.statement.fault(message, path.at, "ATTRIBUTE_NOT_SUPPORTED")
    if field.name != "status__v" or function not in (None, "TONAME"):
        raise scope.statement.fault(f"{value.name} goes with status__v", condition.at)
    if condition.operator not in _EQUALITY:
        raise scope.statement.fault(_STATES_EQUAL, condition.at)
    lifecycle, _, _ = scope.column(
        Path((*path.parts[:-1], "lifecycle__v"), condition.at)
    )
    states = list(target.states.get(value.name, ()))
    return _among(
        scope, f"concat_ws('.', {lifecycle}, {status})", condition.operator, states
    )


def _contains(column: Column, condition: Contains) -> str:
    holder = column.bind_list(condition.values, condition.at)
    if column.multi_value:
        return f"{column.sql} && {holder}"
    if column.ignore_case:
        # Both sides are lowered by PostgreSQL, whose rules for case are not Python's.
        return f"{column.sql} IN (SELECT lower(v) FROM unnest({holder}) AS v)"
    return f"{column.sql} = ANY({holder})"


def _between(column: Column, condition: Between) -> str:
    column.require_order()
    low = column.bind(condition.low, condition.at)
    return f"{column.sql} BETWEEN {low} AND {column.bind(condition.high, condition.at)}"


def _like(column: Column, condition: Like) -> str:
    if not column.is_text:
        raise column.unsuitable("LIKE takes text fields only", column.at)
    pattern = "%".join(
        segment.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
        for segment in condition.segments
    )
    return f"{column.sql} LIKE {column.bind(pattern, condition.at)}"


def semi_join_sql(scope: Scope, condition: InSelect) -> str:
    """A semi-join through a relationship of the operand's object; raises VqlNameError, VqlLimitError.

    To-many, ``id IN (SELECT id FROM addresses__vr …)``: records with such a child; the reference field may stand
    for ``id``. To-one, ``account__v IN (SELECT id FROM account__vr …)``: records that refer to such a record.
    """
    statement, select = scope.statement, condition.select
    statement.count_semi_join(condition.at)
    path, function = scope.aliased(condition.operand.path, condition.operand.function)
    if function is not None:
        message = "a function does not go with IN"
        raise statement.fault(message, condition.operand.path.at)
    sql, field, owner = scope.column(path)
    target, selected, allowed = _joined(scope, condition, owner, field)
    item = select.items[0]
    if (
        len(select.items) != 1
        or not isinstance(item, Item)
        or item.function
        or item.path.text not in allowed
    ):
        message = f"a sub-select of IN through [{select.source}] selects {' or '.join(allowed)}"
        raise statement.fault(message, select.at)
    inner = Scope(statement, target, select)
    terms = [] if select.find is None else [find_sql(inner, select.find)]
    terms += [] if select.where is None else [condition_sql(inner, select.where)]
    where = f" WHERE {' AND '.join(terms)}" if terms else ""
    return f"{sql} IN (SELECT {inner.alias}.{quoted(selected)} FROM {inner.source()}{where})"


def _joined(
    scope: Scope, condition: InSelect, owner: VaultObject, field: Field
) -> tuple[VaultObject, str, tuple[str, ...]]:
    """The related object, its column to compare with, and what the sub-select may name for it."""
    statement, select = scope.statement, condition.select
    reference = outbound(owner, select.source)
    allowed: tuple[str, ...]
    if reference is not None and not reference[2]:
        expected, allowed, selected = reference[0], ("id",), "id"
        target = statement.object(reference[1], select.at)
    else:
        target, child_field = statement.child(owner, select.source, select.at)
        expected, allowed, selected = "id", ("id", child_field.name), child_field.name
    if field.name != expected:
        message = f"the relationship [{select.source}] is tested with [{expected}] IN, not with [{field.name}]"
        raise statement.fault(message, condition.operand.path.at)
    return target, selected, allowed
