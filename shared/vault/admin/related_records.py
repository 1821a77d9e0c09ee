"""Lists on a record's page the latest records that refer to the record, with links to the full lists."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from shared.vault.access.permissions import Operation, may
from shared.vault.admin.listing import Listing, listed
from shared.vault.admin.showing import ValueFormatter, people, record_path

if TYPE_CHECKING:
    from shared.vault.admin.page_context import PageContext
    from shared.vault.assembly.work_lists import Related
    from shared.vault.model.component_model import VaultObject

LATEST = 5


@dataclass(frozen=True, slots=True)
class RelatedList:
    """The latest records of one object that refer to a record.

    ``path`` is the address of the list of all of them, ``new`` that of the form of a new one, empty when the caller may
    not create records.
    """

    formatter: ValueFormatter
    columns: tuple[str, ...]
    listing: Listing
    path: str
    new: str

    @property
    def target(self) -> VaultObject:
        """Return the object of the records."""
        return self.formatter.target

    @property
    def record_path_prefix(self) -> str:
        """Return the beginning of the addresses of the records' pages, to be followed by an id."""
        return record_path(self.target.name, "")


async def related_records(
    context: PageContext, object_name: str, record_id: str
) -> list[RelatedList]:
    """Return the lists that the Vault's definition has for an object, as far as the caller may read their records."""
    wanted = context.vault.definition.related.get(object_name, ())
    return [
        await _related(context, each, record_id)
        for each in wanted
        if _is_listed(context, each)
    ]


def _is_listed(context: PageContext, related: Related) -> bool:
    """Return whether the caller may read the records, and the field by which they refer is active."""
    # Objects and fields of the standard configuration may have been made inactive, or dropped.
    target = context.registry.objects.get(related.object)
    if target is None or not target.active:
        return False
    field = target.fields.get(related.field)
    if field is None or not field.active:
        return False
    return may(context.caller, related.object, Operation.READ)


async def _related(
    context: PageContext, related: Related, record_id: str
) -> RelatedList:
    """Return one list of the records that refer to the record ``record_id``."""
    target = context.registry.objects[related.object]
    formatter = ValueFormatter(target, context.caller, context.registry)
    formatter.people = await people(context, target)
    columns = tuple(
        name
        for name in related.columns
        if name in target.fields and target.fields[name].active
    )
    selection = formatter.selection(columns)
    condition = f"{related.field} = '{record_id}' ORDER BY modified_date__v DESC"
    statement = f"SELECT {selection} FROM {target.name} WHERE {condition}"
    listing = await listed(context, statement, size=LATEST, counted=False)
    path = f"/ui/objects/{target.name}"
    refers = urlencode({related.field: record_id})
    creates = may(context.caller, target.name, Operation.CREATE)
    new = f"{path}/new?{refers}" if creates else ""
    return RelatedList(formatter, columns, listing, f"{path}?{refers}", new)


def other_lists(
    children: Collection[tuple[str, str]], lists: Collection[RelatedList]
) -> list[tuple[str, str]]:
    """Return the labels and addresses among ``children`` of those lists that ``lists`` does not show."""
    shown = {each.path for each in lists}
    return [(label, path) for label, path in children if path not in shown]
