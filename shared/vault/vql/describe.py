"""Describes the results of queries and the targets of queries: ``queryDescribe``, and the rows of SHOW."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import assert_never

from shared.vault.model.component_model import Field, FieldType, VaultObject
from shared.vault.model.field_types import (
    OBJECT_TYPE,
    USER_OBJECT,
    outbound,
    query_type,
)
from shared.vault.vql.columns import Column, SubSelectColumn
from shared.vault.vql.compiler import NO_TARGETS, CompiledQuery, Targets
from shared.vault.vql.resolve import Readable, Statement, readable_by
from shared.vault.vql.syntax_tree import Show, ShowKind
from shared.vault.vql.targets import Registry, inbound

Json = dict[str, object]

_PLATFORM = ("object_type__vr", "created_by__vr", "modified_by__vr")
_OUTBOUND, _INBOUND = "outbound", "inbound"  # of relationships, in rows of SHOW


def describe(compiled: CompiledQuery) -> Json:
    """Return ``{"type": …, "object": {…}, "fields": […]}``, with ``"subqueries"`` per to-many relationship."""
    columns = compiled.columns
    own = [column for column in columns if isinstance(column, Column)]
    nested = [column for column in columns if isinstance(column, SubSelectColumn)]
    described: Json = {"type": "select__sys", **_block(compiled.source, own)}
    if nested:
        described["subqueries"] = [_sub_query(column) for column in nested]
    return described


def _sub_query(column: SubSelectColumn) -> Json:
    block = _block(column.source, column.columns)
    return {
        "relationship": column.key,
        **block,
    }


def _block(source: VaultObject, columns: Sequence[Column]) -> Json:
    fields = [_described_field(column) for column in columns]
    return {"object": _described_object(source), "fields": fields}


def _described_object(source: VaultObject) -> Json:
    return {
        "name": source.name,
        "label": source.label,
        "label_plural": source.label_plural,
    }


def _described_field(column: Column) -> Json:
    field = column.field
    # Vault describes the id by these three members only.
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
    """Return the members that limit a field's values, as far as they apply to its type."""
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


# SHOW


def show_rows(
    show: Show,
    registry: Registry,
    readable: Readable,
    targets: Targets = NO_TARGETS,
) -> list[Json]:
    """Return the rows of a SHOW, sorted by name.

    :raises VqlNameError: its target does not exist, or the caller may not read it.
    """
    rows = _rows(show, registry, readable, targets)
    pattern = show.pattern
    if pattern is not None:
        rows = [row for row in rows if _matches(_name(row), pattern)]
    return sorted(rows, key=_name)


def _name(row: Json) -> str:
    return str(row["name"])


def _rows(
    show: Show,
    registry: Registry,
    readable: Readable,
    targets: Targets,
) -> list[Json]:
    if show.source is None:
        return _shown_targets(registry, readable, targets)
    statement = Statement(registry, readable, show.text, targets)
    source = statement.object(show.source, show.at)
    kind = show.kind
    match kind:
        case ShowKind.TARGETS:
            return _shown_targets(registry, readable, targets)
        case ShowKind.FIELDS:
            fields = source.fields.values()
            return [_shown_field(field) for field in fields if field.active]
        case ShowKind.RELATIONSHIPS:
            return _relationships(source, registry, readable, targets)
        case _:
            assert_never(kind)


def describe_show(
    show: Show,
    registry: Registry,
    targets: Targets = NO_TARGETS,
) -> Json:
    """Return the ``queryDescribe`` block of a SHOW."""
    shown: Json = {"name": None, "label": None, "label_plural": None}
    if show.source is not None:
        target = targets.get(show.source)
        source = registry.objects[show.source] if target is None else target.object
        shown = _described_object(source)
    kind = show.kind.lower()
    return {
        "type": f"show_{kind}__sys",
        "object": shown,
        "fields": [],
    }


def _shown_targets(
    registry: Registry,
    readable: Readable,
    targets: Targets,
) -> list[Json]:
    found = dict(registry.objects)
    for name, target in targets.items():
        # A part of an object is read within its records only.
        if not target.part_of:
            found[name] = target.object
    active = (source for source in found.values() if source.active)
    shown = [source for source in active if readable(source.name)]
    return [_described_object(source) for source in shown]


def _shown_field(field: Field) -> Json:
    row: Json = {
        "name": field.name,
        "label": field.label,
        "type": query_type(field),
    }
    if field.relationship_outbound_name is not None:
        row["relationship_name"] = field.relationship_outbound_name
    return row


def _relationships(
    source: VaultObject,
    registry: Registry,
    readable: Readable,
    targets: Targets,
) -> list[Json]:
    every = [*_outbound(source, registry, targets)]
    children = inbound(registry, targets, source.name)
    every += [(name, child, _INBOUND) for name, (child, _) in children.items()]
    rows: list[Json] = []
    for name, target, kind in every:
        decisive = readable_by(targets, target)
        if readable(decisive):
            # The target of a part is named after its object; people know it by the first name alone.
            shown, _, _ = target.partition(".")
            rows.append({"name": name, "target": shown, "type": kind})
    return rows


def _outbound(
    source: VaultObject,
    registry: Registry,
    targets: Targets,
) -> Iterator[tuple[str, str, str]]:
    """Yield the name, object and kind of each to-one relationship."""
    for name in source.outbound:
        reference = outbound(source, name)
        if reference is not None:
            yield name, reference.target, _OUTBOUND
    # Object types and users are objects in some Vaults, targets in others, and absent in small ones.
    present = {*targets, *registry.objects} & {OBJECT_TYPE, USER_OBJECT}
    for name in _PLATFORM:
        reference = outbound(source, name)
        if reference is not None and reference.target in present:
            yield name, reference.target, _OUTBOUND


def _matches(name: str, pattern: tuple[str, ...]) -> bool:
    """Return whether a name matches a LIKE pattern, cut at its wildcards."""
    if len(pattern) == 1:
        return name == pattern[0]
    first, *middle, last = pattern
    if not name.startswith(first):
        return False
    # The earliest place of each part leaves most of the name for the others.
    at = len(first)
    for part in middle:
        found = name.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return name.endswith(last) and len(name) - len(last) >= at
