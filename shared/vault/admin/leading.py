"""Shows the most important values at the head of a record's page, also those of records that it refers to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from shared.vault.access.permissions import Operation, may
from shared.vault.admin.listing import selected
from shared.vault.admin.showing import Shown, ValueFormatter, people, record_path

if TYPE_CHECKING:
    from shared.vault.admin.visit import Visit
    from shared.vault.assembly.work_lists import Lead
    from shared.vault.model.component_model import VaultObject


async def leading(
    visit: Visit, target: VaultObject, record: Mapping[str, Any]
) -> list[Shown]:
    """Return the values at the head of a record's page that are not empty and that the caller may read."""
    leads = visit.vault.definition.leads.get(target.name, ())
    if not leads:
        return []
    formatter = ValueFormatter(target, visit.caller, visit.registry)
    formatter.people = await people(visit, target)
    far = {
        lead: referenced
        for lead in leads
        if lead.relationships and (referenced := _referenced(visit, target, lead))
    }
    row = await _related_values(visit, target, record, tuple(far))
    shown = []
    for lead in leads:
        if not lead.relationships and lead.path in target.fields:
            shown.append(formatter.show(lead.path, record))
        elif lead in far and (text := row.get(lead.path)):
            shown.append(_related_value(visit, far[lead], lead, row, text))
    return [each for each in shown if each.text]


def _related_value(
    visit: Visit,
    referenced: VaultObject,
    lead: Lead,
    row: Mapping[str, Any],
    value: Any,
) -> Shown:
    """Return a value of a related record as the related record's page shows it; its name is a link to that page."""
    formatter = ValueFormatter(referenced, visit.caller, visit.registry)
    shown = formatter.show(lead.field, {lead.field: value})
    own = record_path(referenced.name, str(row[lead.id_path]))
    link = own if lead.field == "name__v" else shown.link
    return Shown(lead.path, lead.label, shown.text, link)


def _referenced(visit: Visit, target: VaultObject, lead: Lead) -> VaultObject | None:
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
        following = visit.registry.objects.get(found or "")
        if following is None or not following.active:
            return None
        if not may(visit.caller, following.name, Operation.READ):
            return None
        reached = following
    return reached if lead.field in reached.fields else None


async def _related_values(
    visit: Visit,
    target: VaultObject,
    record: Mapping[str, Any],
    leads: Sequence[Lead],
) -> dict[str, Any]:
    """Return the values of related records, by path."""
    if not leads:
        return {}
    paths = dict.fromkeys(path for each in leads for path in (each.path, each.id_path))
    selection = ", ".join(paths)
    # The id that the record has, not the one in the address: it becomes part of a statement.
    statement = f"SELECT {selection} FROM {target.name} WHERE id = '{record['id']}'"
    return next(iter(await selected(visit, statement)), {})
