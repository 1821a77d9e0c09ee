"""The class of a compiled statement's plan: how its records are found, how pages follow, and what else it does.

    {id | unique | reference | modified | rows | scan}/{keyset | offset | rank}[+join][+semi][+sub][+find]

``id``, ``unique``, ``reference`` and ``modified`` are found through an index, ``rows`` are no table's but a
parameter's. ``keyset`` pages continue after an id, ``offset`` pages by count, ``rank`` pages by count of what FIND
sorts. ``join`` is a to-one join of the outer statement, ``semi`` an IN, ``sub`` a to-many sub-select.
"""

from __future__ import annotations

from collections.abc import Iterator

from shared.vault.vql import CompiledQuery, SubSelectColumn, Targets
from shared.vault.vql.syntax_tree import (
    And,
    Between,
    Comparison,
    Condition,
    Contains,
    Expression,
    InSelect,
    Or,
    Rank,
    Select,
)

INDEXES = ("id", "unique", "reference", "modified")


def plan_class(compiled: CompiledQuery, targets: Targets) -> str:
    select = compiled.query.select
    semi = any(isinstance(condition, InSelect) for condition in _all(select.where))
    sub = any(isinstance(column, SubSelectColumn) for column in compiled.columns)
    also = {
        "join": compiled.joins > 0,
        "semi": semi,
        "sub": sub,
        "find": select.find is not None,
    }
    parts = [
        f"{_access(compiled, targets)}/{_pages(compiled, select)}",
        *(name for name, has in also.items() if has),
    ]
    return "+".join(parts)


def _pages(compiled: CompiledQuery, select: Select) -> str:
    if compiled.keyset:
        return "keyset"
    ranked = (
        any(isinstance(term, Rank) for term in select.order)
        if select.order
        else select.find is not None
    )
    return "rank" if ranked else "offset"


def _access(compiled: CompiledQuery, targets: Targets) -> str:
    target = targets.get(compiled.object_name)
    if target is not None and target.rows is not None:
        return "rows"
    kinds = {
        _index(compiled, condition)
        for condition in _required(compiled.query.select.where)
    }
    return next((kind for kind in INDEXES if kind in kinds), "scan")


def _index(compiled: CompiledQuery, condition: Condition) -> str:
    """The kind of index by which a condition on every record finds them."""
    operand = condition.operand
    field = compiled.source.fields.get(operand.path.text)
    if (
        field is None
        or operand.function is not None
        or not isinstance(condition, Comparison | Contains | Between)
    ):
        return ""
    if isinstance(condition, Comparison) and (
        condition.value is None or condition.operator == "!="
    ):
        return ""
    if field.name == "modified_date__v":
        return "modified"
    return (
        "id"
        if field.name == "id"
        else "unique"
        if field.unique
        else "reference"
        if field.object
        else ""
    )


def _required(where: Expression | None) -> Iterator[Condition]:
    if isinstance(where, And):
        for term in where.terms:
            yield from _required(term)
    elif where is not None and not isinstance(where, Or):
        yield where


def _all(where: Expression | None) -> Iterator[Condition]:
    if isinstance(where, And | Or):
        for term in where.terms:
            yield from _all(term)
    elif where is not None:
        yield where
