"""Finds the names of records by their ids, if the caller may read the records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from shared.vault.access.permissions import Operation, may
from shared.vault.admin.listing import selected
from shared.vault.vql import literal

if TYPE_CHECKING:
    from shared.vault.admin.page_context import PageContext
    from shared.vault.model.component_model import VaultObject

# Of one page; a query gives no more in one answer.
MAX_NAMED = 100


async def names_of(
    context: PageContext, object_name: str, ids: Iterable[str]
) -> Mapping[str, str]:
    """Return the names of an object's records by id, without records that the caller may not read."""
    target = context.registry.objects.get(object_name)
    wanted = sorted({each for each in ids if "\x00" not in each})[:MAX_NAMED]
    if target is None or not target.active or not wanted:
        return {}
    if not may(context.caller, object_name, Operation.READ):
        return {}
    texts = ", ".join(literal(each) for each in wanted)
    statement = f"SELECT id, name__v FROM {object_name} WHERE id CONTAINS ({texts})"
    rows = await selected(context, statement)
    return {str(row["id"]): str(row["name__v"] or row["id"]) for row in rows}


def object_of_id(context: PageContext, record_id: str) -> VaultObject | None:
    """Return the object whose prefix a record's id begins with; None when there is no such object."""
    for target in context.registry.objects.values():
        if target.active and record_id.startswith(target.prefix):
            return target
    return None
