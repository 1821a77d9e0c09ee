"""Saves records by a field that is not unique: finds them by a query, changes those, and creates the others.

The vendor's Spark sample maps the source id to such a field. Only the connector's own locks keep two records from
getting one value: a unique field is better.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.connector.points.evaluation import query_all
from services.connector.rules.rows import statements
from services.connector.vaults.record_access import RecordAccess
from shared.client.results import ApiError, RowResult, text
from shared.protocol.error_types import ErrorType

Values = Mapping[str, object]


async def write_searched(
    target: RecordAccess,
    object_name: str,
    rows: Sequence[Values],
    key: str,
    lineage: str | None,
) -> list[RowResult]:
    """Change the record that has each row's value of the field ``key``, or create it; return a result for each row.

    :raises ClientError: one of the calls fails.
    """
    by_key = {str(row[key]): row for row in rows}
    known = await _known(target, object_name, list(by_key), key)
    changes: dict[str, Values] = {}
    new: dict[str, Values] = {}
    for value, row in by_key.items():
        ids = known.get(value, ())
        if len(ids) == 1:
            changes[value] = {"id": ids[0], **row}
        elif not ids:
            new[value] = row
    # Two records with one key are an error of that row, not a guess; the other rows get their own results.
    results = dict.fromkeys(by_key, _ambiguous_key(key))
    if changes:
        written = list(changes.values())
        changed = await target.update(object_name, written, lineage=lineage)
        results |= zip(changes, changed, strict=True)
    if new:
        created = await target.create(object_name, list(new.values()), lineage=lineage)
        results |= zip(new, created, strict=True)
    return [results[str(row[key])] for row in rows]


async def _known(
    target: RecordAccess, object_name: str, values: Sequence[str], key: str
) -> dict[str, list[str]]:
    """Return the ids of the records that have one of the values in the field ``key``, by value."""
    head = f"SELECT id, {key} FROM {object_name}"  # noqa: S608  VQL of names
    known: dict[str, list[str]] = {}
    for row in await query_all(target, statements(head, key, values)):
        ids = known.setdefault(text(row, key), [])
        ids.append(str(row["id"]))
    return known


def _ambiguous_key(key: str) -> RowResult:
    reason = f"several records have this [{key}]; only one of them may keep it"
    error = ApiError(ErrorType.INVALID_DATA, reason)
    return RowResult(ok=False, errors=(error,))
