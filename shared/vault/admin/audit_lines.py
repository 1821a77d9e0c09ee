"""Prepares entries of a record's audit trail for display: with labels of fields, and values as records show them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.vault.admin.record_names import names_of
from shared.vault.admin.showing import Shown, ValueFormatter
from shared.vault.model.component_model import Field, FieldType

if TYPE_CHECKING:
    from shared.vault.admin.page_context import PageContext
    from shared.vault.model.component_model import VaultObject

TRUE = "true"
OLD, NEW = "old_value", "new_value"

Entry = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One entry: its time, its user, the action, and the field with its old and new value."""

    timestamp: str
    who: str
    action: str
    field: str
    old: Shown
    new: Shown


async def audit_lines(
    context: PageContext, target: VaultObject, entries: Sequence[Entry]
) -> list[AuditLine]:
    """Return the lines of entries about records of an object."""
    names = await _referenced(context, target, entries)
    formatter = ValueFormatter(target, context.caller, context.registry)
    return [_line(formatter, names, entry) for entry in entries]


async def _referenced(
    context: PageContext, target: VaultObject, entries: Iterable[Entry]
) -> Mapping[str, str]:
    """Return the names, by id, of the records that entries refer to and that the caller may read."""
    ids: dict[str, set[str]] = {}
    for entry in entries:
        field = target.fields.get(str(entry["field_name"]))
        if field is None or field.type is not FieldType.OBJECT or not field.object:
            continue
        values = (entry[OLD], entry[NEW])
        ids.setdefault(field.object, set()).update(str(v) for v in values if v)
    names: dict[str, str] = {}
    for object_name, wanted in ids.items():
        names.update(await names_of(context, object_name, wanted))
    return names


def _line(
    formatter: ValueFormatter, names: Mapping[str, str], entry: Entry
) -> AuditLine:
    name = str(entry["field_name"] or "")
    field = formatter.target.fields.get(name)
    return AuditLine(
        timestamp=str(entry["timestamp"]),
        who=str(entry["user_name"] or f"User {entry['user_id']}"),
        action=str(entry["action"]),
        field=field.label if field else name,
        old=_shown(formatter, names, field, entry[OLD]),
        new=_shown(formatter, names, field, entry[NEW]),
    )


def _shown(
    formatter: ValueFormatter,
    names: Mapping[str, str],
    field: Field | None,
    value: object,
) -> Shown:
    """Format a value of an entry, which is stored as text, by the type of its field."""
    text = "" if value is None else str(value)
    # The object no longer has the field: its type is unknown.
    if field is None or not text:
        return Shown("", "", text, long=True)
    if field.type is FieldType.BOOLEAN:
        return Shown(field.name, field.label, "Yes" if text == TRUE else "No")
    path = formatter.paths.get(field.name, "")
    return formatter.show(field.name, {field.name: text, path: names.get(text, "")})
