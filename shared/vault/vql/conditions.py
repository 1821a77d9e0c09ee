"""Compiles a WHERE expression to SQL over a scope, with every literal as a parameter."""

from __future__ import annotations

from collections.abc import Sequence

from shared.vault.components.model import Field, FieldType, VaultObject
from shared.vault.vql.errors import VqlNameError
from shared.vault.vql.literals import UnsuitableLiteral, parameters
from shared.vault.vql.resolve import Scope, quoted
from shared.vault.vql.tree import (
    And,
    Between,
    Comparison,
    Condition,
    Contains,
    Expression,
    InSelect,
    Item,
    Like,
    Operand,
    Or,
    Scalar,
)

_PLAIN_TEXT = frozenset((FieldType.ID, FieldType.STRING, FieldType.LONG_TEXT, FieldType.RICH_TEXT))
_UNORDERED = frozenset((FieldType.PICKLIST, FieldType.BOOLEAN))

Sources = set[tuple[str, ...]]
"""The to-one relationship chains that an expression's fields lie behind."""


class _Column:
    """The left side of a condition, found in the registry."""

    __slots__ = ("at", "field", "ignore_case", "owner", "scope", "sql")

    def __init__(self, scope: Scope, operand: Operand) -> None:
        self.scope = scope
        self.at = operand.path.at
        self.sql, self.field, self.owner = scope.column(operand.path)
        self.ignore_case = operand.function is not None
        if self.ignore_case:
            if operand.function != "CASEINSENSITIVE":
                raise self.unsupported(f"function [{operand.function}] is not available in WHERE")
            if self.field.type not in _PLAIN_TEXT:
                raise self.unsuitable("CASEINSENSITIVE takes text fields only", self.at)
            self.sql = f"lower({self.sql})"

    def bind(self, value: Scalar, at: int) -> str:
        """One literal as a parameter of the column's type."""
        sql_type, values = self._typed((value,), at)
        holder = self.scope.statement.bind(values[0], sql_type)
        return f"lower({holder})" if self.ignore_case else holder

    def bind_list(self, values: Sequence[Scalar], at: int) -> str:
        """Many literals as one array parameter."""
        sql_type, typed = self._typed(values, at)
        return self.scope.statement.bind(typed, f"{sql_type}[]")

    def _typed(self, values: Sequence[Scalar], at: int) -> tuple[str, list[object]]:
        try:
            return parameters(self.field, values)
        except UnsuitableLiteral as expected:
            raise self.unsuitable(f"a value for it must be {expected}", at) from None

    def unsuitable(self, reason: str, at: int) -> VqlNameError:
        message = f"field [{self.field.name}] of object [{self.owner.name}]: {reason}"
        return self.scope.statement.fault(message, at)

    def unsupported(self, message: str) -> VqlNameError:
        return self.scope.statement.fault(message, self.at, "ATTRIBUTE_NOT_SUPPORTED")


def condition_sql(scope: Scope, expression: Expression) -> str:
    """The SQL of an expression; raises VqlNameError."""
    return _expression(scope, expression)[0]


def _expression(scope: Scope, expression: Expression) -> tuple[str, Sources]:
    if not isinstance(expression, And | Or):
        return _condition(scope, expression), {expression.operand.path.parts[:-1]}
    parts: list[str] = []
    sources: Sources = set()
    for term in expression.terms:
        sql, behind = _expression(scope, term)
        parts.append(sql)
        sources |= behind
        if isinstance(expression, Or) and len(sources) > 1:
            message = "OR combines conditions on different objects"
            raise scope.statement.fault(message, _first_at(term))
    return f"({(' OR ' if isinstance(expression, Or) else ' AND ').join(parts)})", sources


def _first_at(expression: Expression) -> int:
    while isinstance(expression, And | Or):
        expression = expression.terms[0]
    return expression.operand.path.at


def _condition(scope: Scope, condition: Condition) -> str:
    if isinstance(condition, InSelect):
        return _in_select(scope, condition)
    column = _Column(scope, condition.operand)
    if isinstance(condition, Comparison):
        return _comparison(column, condition)
    if isinstance(condition, Contains):
        return _contains(column, condition)
    if isinstance(condition, Between):
        return _between(column, condition)
    return _like(column, condition)


def _comparison(column: _Column, condition: Comparison) -> str:
    operator, at = condition.operator, condition.at
    if condition.value is None:
        if operator not in ("=", "!="):
            raise column.unsuitable("null goes with = and != only", at)
        return f"{column.sql} IS {'NOT ' if operator == '!=' else ''}NULL"
    if operator not in ("=", "!="):
        _require_order(column)
        return f"{column.sql} {operator} {column.bind(condition.value, at)}"
    if column.field.multi_value:
        has = f"{column.sql} @> {column.bind_list((condition.value,), at)}"
        return has if operator == "=" else f"({has}) IS NOT TRUE"
    # != also holds for records without a value.
    sign = "=" if operator == "=" else "IS DISTINCT FROM"
    return f"{column.sql} {sign} {column.bind(condition.value, at)}"


def _contains(column: _Column, condition: Contains) -> str:
    holder = column.bind_list(condition.values, condition.at)
    if column.field.multi_value:
        return f"{column.sql} && {holder}"
    if column.ignore_case:
        # Both sides are lowered by PostgreSQL, whose rules for case are not Python's.
        return f"{column.sql} IN (SELECT lower(v) FROM unnest({holder}) AS v)"
    return f"{column.sql} = ANY({holder})"


def _between(column: _Column, condition: Between) -> str:
    _require_order(column)
    low = column.bind(condition.low, condition.at)
    return f"{column.sql} BETWEEN {low} AND {column.bind(condition.high, condition.at)}"


def _like(column: _Column, condition: Like) -> str:
    if column.field.type not in _PLAIN_TEXT:
        raise column.unsuitable("LIKE takes text fields only", column.at)
    pattern = "%".join(
        segment.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_") for segment in condition.segments
    )
    return f"{column.sql} LIKE {column.bind(pattern, condition.at)}"


def _require_order(column: _Column) -> None:
    if column.ignore_case:
        raise column.unsuitable("CASEINSENSITIVE goes with =, !=, LIKE and CONTAINS only", column.at)
    if column.field.type in _UNORDERED:
        raise column.unsuitable("it is compared with =, != and CONTAINS only", column.at)


def _in_select(scope: Scope, condition: InSelect) -> str:
    """A semi-join through a relationship of the operand's object.

    To-many, ``id IN (SELECT id FROM addresses__vr …)``: records with such a child; the reference field may stand
    for ``id``. To-one, ``account__v IN (SELECT id FROM account__vr …)``: records that refer to such a record.
    """
    statement, select = scope.statement, condition.select
    if condition.operand.function is not None:
        message = "a function does not go with IN"
        raise statement.fault(message, condition.operand.path.at)
    sql, field, owner = scope.column(condition.operand.path)
    target, selected, allowed = _joined(scope, condition, owner, field)
    item = select.items[0]
    if len(select.items) != 1 or not isinstance(item, Item) or item.function or item.path.text not in allowed:
        message = f"a sub-select of IN through [{select.source}] selects {' or '.join(allowed)}"
        raise statement.fault(message, select.at)
    inner = Scope(statement, target)
    where = f" WHERE {condition_sql(inner, select.where)}" if select.where else ""
    return f"{sql} IN (SELECT {inner.alias}.{quoted(selected)} FROM {inner.source()}{where})"


def _joined(
    scope: Scope, condition: InSelect, owner: VaultObject, field: Field
) -> tuple[VaultObject, str, tuple[str, ...]]:
    """The related object, its column to compare with, and what the sub-select may name for it."""
    statement, select = scope.statement, condition.select
    outbound = owner.outbound.get(select.source)
    allowed: tuple[str, ...]
    if outbound is not None and outbound.object is not None:
        expected, allowed, selected = outbound.name, ("id",), "id"
        target = statement.object(outbound.object, select.at)
    else:
        target, reference = statement.child(owner, select.source, select.at)
        expected, allowed, selected = "id", ("id", reference.name), reference.name
    if field.name != expected:
        message = f"the relationship [{select.source}] is tested with [{expected}] IN, not with [{field.name}]"
        raise statement.fault(message, condition.operand.path.at)
    return target, selected, allowed
