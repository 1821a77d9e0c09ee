"""Documents as targets of rules: found by the field that is their key, changed, or created without a file."""

from __future__ import annotations

from collections.abc import Mapping

from services.connector.points.evaluation import OutdatedRead, query_all
from services.connector.points.transfer import Transfer
from services.connector.rules.object_metadata import DOCUMENTS
from services.connector.rules.vql_text import statements
from shared.client.results import ApiError, RowResult, text

EXISTS = "ITEM_NAME_EXISTS"
AT_CREATION = frozenset({"type__v", "subtype__v", "classification__v", "lifecycle__v"})
"""What is chosen when a document is created, and stays."""


async def save_documents(
    unit: Transfer, rows: Mapping[str, Mapping[str, object]], key: str
) -> dict[str, RowResult]:
    """Change the latest version of each document, or create it; rows and results by the value of ``key``.

    Two documents with one key are an error of that row, not a guess. Raises ClientError, and OutdatedRead when somebody
    else has created one of them meanwhile.
    """
    head = f"SELECT id, {key} FROM {DOCUMENTS}"  # noqa: S608  VQL of names
    known: dict[str, list[str]] = {}
    for row in await query_all(unit.target, statements(head, key, rows)):
        known.setdefault(text(row, key), []).append(str(row["id"]))
    changes = {
        value: {
            "id": known[value][0],
            **{name: v for name, v in row.items() if name not in AT_CREATION},
        }
        for value, row in rows.items()
        if len(known.get(value, ())) == 1
    }
    new = {value: row for value, row in rows.items() if value not in known}
    several = (
        ApiError(
            "INVALID_DATA",
            f"several documents have this [{key}]; leave it to one of them",
        ),
    )
    results = {value: RowResult(ok=False, errors=several) for value in rows}
    if changes:
        results |= zip(
            changes,
            await unit.target.update_documents(list(changes.values())),
            strict=True,
        )
    if new:
        results |= zip(
            new,
            await unit.target.create_documents(list(new.values()), key),
            strict=True,
        )
    if any(
        error.type == EXISTS for result in results.values() for error in result.errors
    ):
        raise OutdatedRead("documents were created by somebody else meanwhile")
    return results
