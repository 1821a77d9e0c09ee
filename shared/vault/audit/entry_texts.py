"""Adds to entries about records what people read: labels, names of records, and values as records show them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from shared.vault.audit.audit_entries import AuditAction, cut
from shared.vault.model.component_model import Field, FieldType, VaultObject
from shared.vault.model.field_types import table

if TYPE_CHECKING:
    from shared.vault.components.registry import Registry
    from shared.vault.storage.database import Connection

NAME = "name__v"
MAX_SHOWN = 250  # characters of a value in a sentence
NAMES = f"SELECT id, {NAME} AS name FROM {{table}} WHERE id = ANY($1::text[])"
# The entry of a deletion has the record's last values as JSON; a long one is cut, so that it is none.
DELETED_NAMES = """
SELECT a.item, a.record_id, substring(a.old_value FROM '"name__v": ("(?:[^"\\\\]|\\\\.)*")') AS name
FROM platform.audit_entry a WHERE a.trail = 'object' AND a.action = 'Delete' AND a.record_id = ANY($1::text[])
"""

Entry = dict[str, object]
Names = Mapping[tuple[str, str], str]
"""The names of records by object and id."""


async def add_texts(
    connection: Connection,
    registry: Registry,
    reads: Callable[[str], bool],
    entries: Sequence[Entry],
) -> None:
    """Complete entries about records in place.

    ``reads`` returns whether the reader may read an object; records of others are shown by their ids.
    """
    wanted = _named_records(registry, entries)
    names = await _names(connection, registry, reads, wanted)
    texts = _Texts(registry, names)
    for entry in entries:
        texts.complete(entry)


def _named_records(
    registry: Registry, entries: Sequence[Entry]
) -> Mapping[str, set[str]]:
    """Return the ids of the records that entries are about or refer to, by object."""
    wanted: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        object_name = str(entry["object_name"])
        wanted[object_name].add(str(entry["record_id"]))
        field = _field(registry, entry)
        if field is not None and field.object is not None:
            values = (entry["old_value"], entry["new_value"])
            wanted[field.object].update(str(each) for each in values if each)
    return wanted


async def _names(
    connection: Connection,
    registry: Registry,
    reads: Callable[[str], bool],
    wanted: Mapping[str, set[str]],
) -> Names:
    """Return the names of those records that the reader may read, also of deleted ones."""
    names: dict[tuple[str, str], str] = {}
    missing: set[str] = set()
    for object_name, ids in wanted.items():
        target = registry.objects.get(object_name)
        if target is None or NAME not in target.fields or not reads(object_name):
            continue
        sql = NAMES.format(table=table(object_name))
        rows = await connection.fetch(sql, list(ids))
        names |= {(object_name, row["id"]): row["name"] for row in rows if row["name"]}
        missing |= ids - {row["id"] for row in rows}
    if missing:
        rows = await connection.fetch(DELETED_NAMES, list(missing))
        for row in rows:
            if row["name"] and reads(row["item"]):
                names[row["item"], row["record_id"]] = orjson.loads(row["name"])
    return names


def _field(registry: Registry, entry: Entry) -> Field | None:
    """Return the changed field of an entry; None without one, and when its object no longer has it."""
    target = registry.objects.get(str(entry["object_name"]))
    return None if target is None else target.fields.get(str(entry["field_name"]))


@dataclass(frozen=True, slots=True)
class _Texts:
    """The components and names by which entries are completed."""

    registry: Registry
    names: Names

    def complete(self, entry: Entry) -> None:
        """Set the texts of an entry."""
        object_name, record_id = str(entry["object_name"]), str(entry["record_id"])
        target = self.registry.objects.get(object_name)
        label = target.label if target else object_name
        name = self.names.get((object_name, record_id), record_id)
        entry["object_label"] = target.label if target else None
        entry["item"] = f"{label} : {name}"
        if entry["field_name"] is not None:
            self._complete_field(target, entry)
        entry["event_description"] = _description(entry, f"{label}: {name}")

    def _complete_field(self, target: VaultObject | None, entry: Entry) -> None:
        field = _field(self.registry, entry)
        if target is None or field is None:
            # The object no longer has the field: neither its label nor its type is known.
            entry["old_display_value"] = entry["old_value"]
            entry["new_display_value"] = entry["new_value"]
            return
        entry["field_label"] = field.label
        entry["old_display_value"] = self._shown(target, field, entry["old_value"])
        entry["new_display_value"] = self._shown(target, field, entry["new_value"])

    def _shown(self, target: VaultObject, field: Field, value: object) -> str | None:
        """Return a stored value as records show it: labels instead of names, and names instead of ids."""
        if value is None:
            return None
        text = str(value)
        if field.object is not None:
            return self.names.get((field.object, text), text)
        if field.type is FieldType.BOOLEAN:
            return "Yes" if text == "true" else "No"
        labels = self._labels(target, field)
        # Entries have the values of a field with several as a list with commas.
        parts = text.split(",") if field.multi_value else [text]
        return ", ".join(labels.get(part, part) for part in parts)

    def _labels(self, target: VaultObject, field: Field) -> Mapping[str, str]:
        """Return the labels of the values of a field by their names; none for a field whose values have no labels."""
        if field.type is FieldType.PICKLIST:
            picklist = self.registry.picklists.get(field.picklist or "")
            entries = picklist.entries.values() if picklist else ()
            return {each.name: each.label for each in entries}
        if field.name == "state__v":
            lifecycle = self.registry.lifecycles.get(target.lifecycle or "")
            states = lifecycle.states.values() if lifecycle else ()
            return {each.name: each.label for each in states}
        if field.name == "lifecycle__v":
            lifecycles = self.registry.lifecycles.values()
            return {each.name: each.label for each in lifecycles}
        return {}


def _description(entry: Entry, record: str) -> str:
    """Return an entry as a sentence; ``record`` is the object's label and the record's name."""
    action = str(entry["action"])
    if entry["field_name"] is not None:
        return _change(entry)
    if action == AuditAction.CREATE:
        return f"{record} created"
    if action == AuditAction.DELETE:
        return f"{record} deleted"
    said = entry["new_value"]
    return action if said is None else f"{action}: {cut(str(said), MAX_SHOWN)}"


def _change(entry: Entry) -> str:
    """Return the change of a field as a sentence."""
    label = entry["field_label"] or entry["field_name"]
    before, after = (
        None if entry[each] is None else cut(str(entry[each]), MAX_SHOWN)
        for each in ("old_display_value", "new_display_value")
    )
    if after is None:
        return f'"{label}" cleared'
    if before is None:
        return f'"{label}" set to "{after}"'
    return f'"{label}" changed from "{before}" to "{after}"'
