"""What a query's answer says about its records beside their values: record properties and facets."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from shared.vault import vql
from shared.vault.access.permissions import Operation, may

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller


class RecordProperties(StrEnum):
    """Which record properties are asked for."""

    ALL = "all"
    HIDDEN = "hidden"
    REDACTED = "redacted"
    WEBLINK = "weblink"


def record_properties(
    caller: Caller,
    compiled: vql.CompiledQuery,
    rows: Sequence[Record],
    asked: RecordProperties,
    *,
    stored: bool,
) -> list[dict[str, Any]]:
    """One entry a row: fields that the caller may edit, and what the caller may do with the record.

    No field of a record is hidden from, or redacted for, a caller who may read its object, and none is a web link.
    ``stored`` is False for targets that are no objects: those may be read only.
    """
    permissions = {
        operation.value: stored and may(caller, compiled.object_name, operation)
        for operation in (
            Operation.READ,
            Operation.EDIT,
            Operation.CREATE,
            Operation.DELETE,
        )
    }
    permissions[Operation.READ.value] = True
    fields: dict[str, list[str]] = {}
    if asked in (RecordProperties.ALL, RecordProperties.HIDDEN):
        fields["hidden"] = []
    if asked in (RecordProperties.ALL, RecordProperties.REDACTED):
        fields["redacted"] = []
    if asked is RecordProperties.ALL:
        fields["edit"] = (
            _editable(compiled) if permissions[Operation.EDIT.value] else []
        )
    shared: dict[str, Any] = {
        "field_properties": fields,
        "field_additional_data": {"web_link": []},
    }
    if asked is RecordProperties.ALL:
        shared |= {"permissions": permissions, "subquery_properties": {}}
    return [{"id": row[-1], **shared} for row in rows]


def _editable(compiled: vql.CompiledQuery) -> list[str]:
    columns = [
        column
        for column in compiled.columns
        if isinstance(column, vql.Column) and column.own
    ]
    return list(
        dict.fromkeys(
            c.field.name for c in columns if c.field.editable and not c.field.system
        )
    )


def facet_json(facet: vql.Facet, rows: Sequence[Record]) -> dict[str, Any]:
    """One element of ``facets``, from the rows of its statement."""
    count: int = rows[0]["count"] if rows else 0
    return {
        "label": facet.field.label,
        "type": facet.field.type.value,
        "name": facet.field.name,
        "count": count,
        "truncated_list": count > len(rows),
        "values": [
            {"value": row["value"], "result_count": row["result_count"]} for row in rows
        ],
    }
