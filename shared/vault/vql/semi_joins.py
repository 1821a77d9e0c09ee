"""Compiles ``IN (SELECT …)``: records that a relationship leads to others from."""

from __future__ import annotations

from collections.abc import Callable

from shared.vault.model.component_model import Field, VaultObject
from shared.vault.vql.find import find_sql
from shared.vault.vql.resolve import Scope, outbound, quoted
from shared.vault.vql.syntax_tree import Expression, InSelect, Item

Compile = Callable[[Scope, Expression], str]


def semi_join_sql(scope: Scope, condition: InSelect, compile_where: Compile) -> str:
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
    terms += [] if select.where is None else [compile_where(inner, select.where)]
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
