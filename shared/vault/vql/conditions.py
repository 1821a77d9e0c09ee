"""Compiles a WHERE expression to SQL over a scope, with every literal as a parameter."""

from __future__ import annotations

from shared.vault.model.component_model import FieldType, state_type_name
from shared.vault.vql.date_literals import Edge
from shared.vault.vql.operands import DATES, Column
from shared.vault.vql.resolve import Scope
from shared.vault.vql.semi_joins import Compile, semi_join_sql
from shared.vault.vql.syntax_tree import (
    And,
    Between,
    Comparison,
    Condition,
    Contains,
    Expression,
    InSelect,
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
        compile_where: Compile = condition_sql
        return semi_join_sql(scope, condition, compile_where)
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
