"""Saves documents as targets of rules: changes those found by the key field, and creates the others without a file."""

from __future__ import annotations

from collections.abc import Mapping

from services.connector.points.evaluation import OutdatedRead, query_all
from services.connector.points.transfer import Transfer
from services.connector.rules.object_metadata import DOCUMENTS
from services.connector.rules.rows import statements
from shared.client.results import ApiError, RowResult, text
from shared.protocol.error_types import ErrorType

Values = Mapping[str, object]

AT_CREATION = frozenset({"type__v", "subtype__v", "classification__v", "lifecycle__v"})
"""Fields that are chosen when a document is created, and stay."""


async def save_documents(
    unit: Transfer,
    rows: Mapping[str, Values],
    key: str,
) -> dict[str, RowResult]:
    """Change the latest version of each document, or create the document; ``rows`` and results are by ``key`` value.

    :raises OutdatedRead: another connector has created one of the documents meanwhile.
    :raises ClientError: one of the calls fails.
    """
    known = await _known(unit, rows, key)
    changes = {
        value: _change(known[value][0], row)
        for value, row in rows.items()
        if len(known.get(value, ())) == 1
    }
    new = {value: row for value, row in rows.items() if value not in known}
    # Two documents with one key are an error of that row, not a guess; the other rows get their own results.
    results = dict.fromkeys(rows, _ambiguous_key(key))
    if changes:
        changed = await unit.target.update_documents(list(changes.values()))
        results |= zip(changes, changed, strict=True)
    if new:
        created = await unit.target.create_documents(list(new.values()), key)
        results |= zip(new, created, strict=True)
    # A document that exists now did not when its key was looked up, so it is to be changed instead.
    if any(_exists(result) for result in results.values()):
        raise OutdatedRead("documents were created by somebody else meanwhile")
    return results


async def _known(
    unit: Transfer,
    rows: Mapping[str, Values],
    key: str,
) -> dict[str, list[str]]:
    """Return the ids of the documents with each key."""
    head = f"SELECT id, {key} FROM {DOCUMENTS}"  # noqa: S608  VQL of names
    known: dict[str, list[str]] = {}
    for row in await query_all(unit.target, statements(head, key, rows)):
        ids = known.setdefault(text(row, key), [])
        ids.append(str(row["id"]))
    return known


def _change(
    document: str,
    row: Values,
) -> Values:
    fields = {name: value for name, value in row.items() if name not in AT_CREATION}
    return {"id": document, **fields}


def _ambiguous_key(key: str) -> RowResult:
    reason = f"several documents have this [{key}]; only one of them may keep it"
    error = ApiError(ErrorType.INVALID_DATA, reason)
    return RowResult(ok=False, errors=(error,))


def _exists(result: RowResult) -> bool:
    return any(error.type == ErrorType.ITEM_NAME_EXISTS for error in result.errors)
