"""Makes the extracts of the configuration (metadata, values of picklists, components), and finds changes in them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import orjson

from shared.protocol.json_values import date_time_text
from shared.vault import vql
from shared.vault.components.component_kinds import ComponentKind
from shared.vault.direct_data.table_extracts import (
    ID_LENGTH,
    Column,
    ColumnType,
    TableExtract,
)
from shared.vault.model.component_model import FieldType

if TYPE_CHECKING:
    from shared.vault.components.registry import Registry
    from shared.vault.model.component_model import Field

Cells = tuple[str | int | None, ...]
METADATA = "Metadata"
BETWEEN = "|"  # no name of the configuration has it


@dataclass(frozen=True, slots=True)
class ConfigurationExtract:
    """One extract of the configuration: its rows by their ``keys``, the values of some columns joined to a text.

    The column ``date`` is empty in rows whose date is unknown.
    """

    component: str
    name: str
    label: str
    columns: tuple[Column, ...]
    date: str
    keys: tuple[str, ...]
    rows: Mapping[str, Cells]

    @property
    def full_name(self) -> str:
        """Return the name in manifest and metadata, e.g. ``Picklist.picklist__sys``."""
        return f"{self.component}.{self.name}"

    @property
    def date_index(self) -> int:
        """Return the position of the date in a row."""
        return [column.name for column in self.columns].index(self.date)

    def digests(self) -> dict[str, str]:
        """Return a digest of each row, without its date, by the row's key."""
        index = self.date_index
        found: dict[str, str] = {}
        for key, cells in self.rows.items():
            text = repr((*cells[:index], *cells[index + 1 :]))
            found[key] = hashlib.sha256(text.encode()).hexdigest()[:16]
        return found

    def updates(self, keys: Sequence[str], otherwise: datetime | None) -> list[Cells]:
        """Return the header, and the rows with these keys; a row without a date gets the date ``otherwise``."""
        header = tuple(column.name for column in self.columns)
        index = self.date_index
        sheet: list[Cells] = [header]
        for key in keys:
            cells = self.rows[key]
            date = cells[index] or date_time_text(otherwise)
            sheet.append((*cells[:index], date, *cells[index + 1 :]))
        return sheet

    def deletes(self, keys: Sequence[str], when: datetime) -> list[Cells]:
        """Return the header, and the keys of removed rows, each with the date ``when``."""
        sheet: list[Cells] = [(*self.keys, "deleted_date")]
        sheet += [(*key.split(BETWEEN), date_time_text(when)) for key in keys]
        return sheet


@dataclass(frozen=True, slots=True)
class Difference:
    """The keys of an extract's new or changed rows, and of its removed rows."""

    updated: Sequence[str]
    deleted: Sequence[str]


def difference(extract: ConfigurationExtract, former: Mapping[str, str]) -> Difference:
    """Return the difference between an extract and the digests of an earlier one."""
    now = extract.digests()
    updated = [key for key, digest in now.items() if former.get(key) != digest]
    deleted = [key for key in former if key not in now]
    return Difference(updated, deleted)


def configuration_extracts(
    registry: Registry, changed: Mapping[str, datetime]
) -> list[ConfigurationExtract]:
    """Return the extracts of picklists, object types and components; ``changed`` has dates by ``Type.name``."""
    targets = vql.registry_targets(registry).values()
    records = [_records(target, changed) for target in targets]
    return [_picklists(registry, changed), *records]


def metadata_extract(
    extracts: Sequence[TableExtract | ConfigurationExtract],
) -> ConfigurationExtract:
    """Return the extract that lists the columns of all these extracts."""
    text = ColumnType.STRING
    columns = (
        Column("modified_date", "Modified Date", ColumnType.DATE_TIME),
        Column("extract", "Extract", text, length=128),
        Column("extract_label", "Extract Label", text, length=255),
        Column("column_name", "Column Name", text, length=128),
        Column("column_label", "Column Label", text, length=255),
        Column("type", "Type", text, length=32),
        Column("length", "Length", ColumnType.NUMBER),
        Column("related_extract", "Related Extract", text, length=128),
    )
    rows: dict[str, Cells] = {}
    for extract in extracts:
        about = (extract.full_name, extract.label)
        for column in extract.columns:
            key = BETWEEN.join((extract.full_name, column.name))
            shape = (column.type.value, column.length, column.related)
            rows[key] = (None, *about, column.name, column.label, *shape)
    keys = ("extract", "column_name")
    return ConfigurationExtract(
        METADATA, "metadata", METADATA, columns, "modified_date", keys, rows
    )


def _picklists(
    registry: Registry, changed: Mapping[str, datetime]
) -> ConfigurationExtract:
    """Return the extract of picklist values: the values of each field that has a picklist."""
    text = ColumnType.STRING
    columns = (
        Column("modified_date__v", "Modified Date", ColumnType.DATE_TIME),
        Column("object", "Object", text, length=128),
        Column("object_field", "Object Field", text, length=128),
        Column("picklist_value_name", "Picklist Value Name", text, length=255),
        Column("picklist_value_label", "Picklist Value Label", text, length=255),
        Column("status__v", "Status", text, length=32),
    )
    rows: dict[str, Cells] = {}
    for owner, field in _picklist_fields(registry):
        picklist = registry.picklists.get(field.picklist or "")
        if picklist is None:
            continue
        date = date_time_text(changed.get(f"{ComponentKind.PICKLIST}.{picklist.name}"))
        for entry in picklist.entries.values():
            key = (owner, field.name, entry.name)
            status = "active__v" if entry.active else "inactive__v"
            rows[BETWEEN.join(key)] = (date, *key, entry.label, status)
    keys = ("object", "object_field", "picklist_value_name")
    return ConfigurationExtract(
        "Picklist",
        "picklist__sys",
        "Picklist",
        columns,
        "modified_date__v",
        keys,
        rows,
    )


def _picklist_fields(registry: Registry) -> Iterator[tuple[str, Field]]:
    """Yield the fields with a picklist, each with the name of its object; fields of documents included."""
    targets = [each for each in registry.objects.values() if each.active]
    versions = registry.documents.versions
    if versions is not None:
        targets.append(versions)
    for target in targets:
        for field in target.fields.values():
            if field.active and field.type is FieldType.PICKLIST:
                yield target.name, field


def _records(
    target: vql.Target, changed: Mapping[str, datetime]
) -> ConfigurationExtract:
    """Return the extract of records that only the registry has: object types or components."""
    shown = [field for field in target.object.fields.values() if field.name != "id"]
    columns = (
        Column("id", "ID", ColumnType.STRING, length=ID_LENGTH),
        Column("modified_date__v", "Modified Date", ColumnType.DATE_TIME),
        *(Column(f.name, f.label, ColumnType.STRING, length=255) for f in shown),
    )
    rows: dict[str, Cells] = {}
    for record in orjson.loads(target.rows or "[]"):
        cells = [record.get(field.name) for field in shown]
        kind, name = record.get("component_type__v"), record.get("component_name__v")
        date = date_time_text(changed.get(f"{kind}.{name}"))
        rows[record["id"]] = (record["id"], date, *cells)
    return ConfigurationExtract(
        "Object",
        target.object.name,
        target.object.label,
        columns,
        "modified_date__v",
        ("id",),
        rows,
    )
