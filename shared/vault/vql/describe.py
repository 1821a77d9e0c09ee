"""Describes a query's columns as the API's ``queryDescribe`` block does."""

from __future__ import annotations

from collections.abc import Sequence

from shared.vault.model.component_model import Field, FieldType, VaultObject
from shared.vault.vql.columns import Column, SubSelectColumn
from shared.vault.vql.compiler import NO_TARGETS, CompiledQuery, Targets
from shared.vault.vql.resolve import (
    Readable,
    Registry,
    Statement,
    inbound,
    outbound,
    readable_by,
)
from shared.vault.vql.syntax_tree import Show
from shared.vault.vql.targets import OBJECT_TYPE, USER_OBJECT

Json = dict[str, object]


def describe(compiled: CompiledQuery) -> Json:
    """``{"type": …, "object": {…}, "fields": […]}``, and ``"subqueries"`` with the same per to-many relationship."""
    described: Json = {"type": "select__sys"}
    described |= _block(
        compiled.source,
        [column for column in compiled.columns if isinstance(column, Column)],
    )
    subqueries = [
        {"relationship": column.key, **_block(column.source, column.columns)}
        for column in compiled.columns
        if isinstance(column, SubSelectColumn)
    ]
    if subqueries:
        described["subqueries"] = subqueries
    return described


def _block(source: VaultObject, columns: Sequence[Column]) -> Json:
    return {
        "object": {
            "name": source.name,
            "label": source.label,
            "label_plural": source.label_plural,
        },
        "fields": [_field(column) for column in columns],
    }


def _field(column: Column) -> Json:
    field = column.field
    if field.type is FieldType.ID:
        described: Json = {"name": column.key, "type": "id", "required": True}
    else:
        described = {
            "name": column.key,
            "label": field.label,
            "type": field.shown_type or field.type.value,
            "required": field.required,
            "unique": field.unique,
            **_bounds(field),
            "status": ["active__v" if field.active else "inactive__v"],
        }
    if column.function is not None:
        described["function"] = column.function
    if column.alias:
        described["alias"] = True
    return described


def _bounds(field: Field) -> Json:
    bounds: Json = {
        "max_length": field.max_length,
        "min_value": field.min_value,
        "max_value": field.max_value,
        "scale": field.scale,
        "picklist": field.picklist,
        "encrypted": field.encrypted or None,
        "format_mask": field.format_mask,
    }
    return {name: value for name, value in bounds.items() if value is not None}


_PLATFORM = ("object_type__vr", "created_by__vr", "modified_by__vr")


_TYPES = {FieldType.OBJECT: "ObjectReference"}


Row = dict[str, object]


def show_rows(
    show: Show, registry: Registry, readable: Readable, targets: Targets = NO_TARGETS
) -> list[Row]:
    """The rows of a SHOW, sorted by name; raises VqlNameError for targets that are not there or may not be read."""
    if show.source is None:
        rows = _targets(registry, readable, targets)
    else:
        source = Statement(registry, readable, show.text, targets).object(
            show.source, show.at
        )
        rows = (
            _fields(source)
            if show.kind == "FIELDS"
            else _relationships(source, registry, readable, targets)
        )
    if show.pattern is not None:
        rows = [row for row in rows if _matches(str(row["name"]), show.pattern)]
    return sorted(rows, key=lambda row: str(row["name"]))


def describe_show(show: Show, registry: Registry, targets: Targets = NO_TARGETS) -> Row:
    """The ``queryDescribe`` block of a SHOW."""
    source = None
    if show.source is not None:
        target = targets.get(show.source)
        source = registry.objects[show.source] if target is None else target.object
    shown: Row = (
        {"name": None, "label": None, "label_plural": None}
        if source is None
        else _target(source)
    )
    return {"type": f"show_{show.kind.lower()}__sys", "object": shown, "fields": []}


def _targets(registry: Registry, readable: Readable, targets: Targets) -> list[Row]:
    whole = {
        name: target.object for name, target in targets.items() if not target.part_of
    }
    found = {**registry.objects, **whole}
    return [
        _target(source)
        for name, source in found.items()
        if source.active and readable(name)
    ]


def _target(source: VaultObject) -> Row:
    return {
        "name": source.name,
        "label": source.label,
        "label_plural": source.label_plural,
    }


def _fields(source: VaultObject) -> list[Row]:
    rows = []
    for field in source.fields.values():
        if field.active:
            kind = field.shown_type or _TYPES.get(field.type, field.type.value)
            row: Row = {"name": field.name, "label": field.label, "type": kind}
            if field.relationship_outbound_name is not None:
                row["relationship_name"] = field.relationship_outbound_name
            rows.append(row)
    return rows


def _relationships(
    source: VaultObject, registry: Registry, readable: Readable, targets: Targets
) -> list[Row]:
    there = {OBJECT_TYPE, USER_OBJECT} & {*targets, *registry.objects}
    found = [
        (name, reference[1], "outbound")
        for name in source.outbound
        if (reference := outbound(source, name))
    ]
    for name in _PLATFORM:
        reference = outbound(source, name)
        if reference is not None and reference[1] in there:
            found.append((name, reference[1], "outbound"))
    found += [
        (name, child, "inbound")
        for name, (child, _) in inbound(registry, targets, source.name).items()
    ]
    return [
        {"name": name, "target": target.partition(".")[0], "type": kind}
        for name, target, kind in found
        if readable(readable_by(targets, target))
    ]


def _matches(name: str, pattern: tuple[str, ...]) -> bool:
    """Whether a name has the parts of a LIKE pattern in order, its ends being those of the pattern."""
    if len(pattern) == 1:
        return name == pattern[0]
    first, *middle, last = pattern
    if not name.startswith(first):
        return False
    at = len(first)
    for part in middle:
        found = name.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return name.endswith(last) and len(name) - len(last) >= at
