"""Describes a query's columns as the API's ``queryDescribe`` block does."""

from __future__ import annotations

from collections.abc import Sequence

from shared.vault.model.component_model import Field, FieldType, VaultObject
from shared.vault.vql.columns import Column, SubSelectColumn
from shared.vault.vql.compiler import CompiledQuery

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
