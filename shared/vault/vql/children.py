"""Further children of one record: a to-many sub-select turned into a statement of its own."""

from __future__ import annotations

from dataclasses import replace

from shared.vault.vql.compiler import NO_TARGETS, Targets
from shared.vault.vql.resolve import Registry, inbound
from shared.vault.vql.syntax_tree import (
    And,
    Comparison,
    Expression,
    Operand,
    Path,
    Query,
    Select,
)
from shared.vault.vql.vql_errors import VqlNameError


def children_query(
    query: Query,
    number: int,
    parent_id: str,
    registry: Registry,
    targets: Targets = NO_TARGETS,
) -> Query:
    """The statement that selects all children of the record ``parent_id``, as sub-select ``number`` shows them.

    Raises VqlNameError where the statement has no such sub-select, or its relationship is there no longer.
    """
    subselects = [item for item in query.select.items if isinstance(item, Select)]
    relationships = inbound(registry, targets, query.select.source)
    found = (
        relationships.get(subselects[number].source)
        if 0 <= number < len(subselects)
        else None
    )
    if found is None:
        message = "there is no such query page"
        raise VqlNameError("INVALID_DATA", message)
    child, reference = found
    select = subselects[number]
    of_parent: Expression = Comparison(
        Operand(Path((reference.name,), select.at)), "=", parent_id, select.at
    )
    where = of_parent if select.where is None else And((of_parent, select.where))
    return Query(replace(select, source=child, where=where), query.text)
