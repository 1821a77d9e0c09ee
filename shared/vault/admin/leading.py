"""Shows the most important values at the head of a record's page, also those of records that it refers to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from shared.vault.admin.listing import selected
from shared.vault.admin.referenced_objects import referenced_object
from shared.vault.admin.showing import Shown, ValueFormatter, people

if TYPE_CHECKING:
    from shared.vault.admin.page_context import PageContext
    from shared.vault.assembly.work_lists import Lead
    from shared.vault.model.component_model import VaultObject


async def leading(
    context: PageContext, target: VaultObject, record: Mapping[str, Any]
) -> list[Shown]:
    """Return the values at the head of a record's page that are not empty and that the caller may read."""
    leads = context.vault.definition.leads.get(target.name, ())
    if not leads:
        return []
    formatter = ValueFormatter(target, context.caller, context.registry)
    formatter.people = await people(context, target)
    formatter.error_text_fields = context.vault.definition.error_text_fields
    related = {
        lead: referenced
        for lead in leads
        if lead.relationships
        and (
            referenced := referenced_object(
                context.registry, context.caller, target, lead
            )
        )
    }
    row = await _related_values(context, target, record, tuple(related))
    shown = []
    for lead in leads:
        if not lead.relationships and lead.path in target.fields:
            shown.append(formatter.show(lead.path, record))
        elif lead in related and (text := row.get(lead.path)):
            shown.append(formatter.related_value(related[lead], lead, row, text))
    return [each for each in shown if each.text]


async def _related_values(
    context: PageContext,
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
    return next(iter(await selected(context, statement)), {})
