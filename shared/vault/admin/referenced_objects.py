"""Finds the object at the end of a path over references, for callers who may read all objects of the path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.vault.access.permissions import Operation, may

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.assembly.work_lists import Lead
    from shared.vault.components.registry import Registry
    from shared.vault.model.component_model import VaultObject


def referenced_object(
    registry: Registry, caller: Caller, target: VaultObject, lead: Lead
) -> VaultObject | None:
    """Return the object at the end of a lead's path; None for an invalid path, or when the caller may not read it."""
    reached = target
    for relationship in lead.relationships:
        found = next(
            (
                field.object
                for field in reached.fields.values()
                if field.active and field.relationship_outbound_name == relationship
            ),
            None,
        )
        following = registry.objects.get(found or "")
        if following is None or not following.active:
            return None
        if not may(caller, following.name, Operation.READ):
            return None
        reached = following
    return reached if lead.field in reached.fields else None
