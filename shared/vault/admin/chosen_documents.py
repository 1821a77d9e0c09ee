"""Finds approved documents for a response, and the problems that keep chosen documents from being sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.admin.listing import Row, find, listed, selected
from shared.vault.admin.recipient_pages import viewable_file
from shared.vault.documents.versions import MAJOR, MINOR
from shared.vault.errors import VaultFault
from shared.vault.vql import literal

if TYPE_CHECKING:
    from shared.vault.admin.page_context import PageContext

FOUND = 20  # documents of a search
APPROVED = "status__v = STEADYSTATE()"
NO_FILE = "It has no file: add its file, or remove it here."
NOT_APPROVED = (
    "It is not approved, or not any more: have it approved, or remove it here."
)


async def approved_documents(context: PageContext, words: str) -> list[Row]:
    """Return approved versions of documents that have these words in their fields or files, the best first."""
    search = find(words).removesuffix(")")
    if not search:
        return []
    columns = f"id, name__v, document_number__v, type__v, {MAJOR}, {MINOR}"
    source = f"ALLVERSIONS documents{search} SCOPE ALL)"
    statement = f"SELECT {columns} FROM {source} WHERE {APPROVED}"
    page = await listed(context, statement, size=FOUND, counted=False)
    return page.rows


async def problems_of(context: PageContext, chosen: Sequence[Row]) -> dict[str, str]:
    """Return the problems that keep chosen documents from being sent, by the ids of their rows."""
    problems: dict[str, str] = {}
    approved = await _approved_ids(context, chosen)
    for row in chosen:
        if _version_id(row) not in approved:
            problems[str(row["id"])] = NOT_APPROVED
        elif not await _has_file(context, row):
            problems[str(row["id"])] = NO_FILE
    return problems


async def first_without_file(
    context: PageContext, documents: Sequence[Row]
) -> Row | None:
    """Return the first document without a file; None when all documents have a file."""
    for row in documents:
        if not await _has_file(context, row):
            return row
    return None


async def _has_file(context: PageContext, row: Row) -> bool:
    """Return whether a chosen document has a viewable rendition or a source file.

    :raises VaultFault: as ``viewable_file``, except for INVALID_DATA.
    """
    try:
        await viewable_file(context, row)
    except VaultFault as fault:
        if fault.error.type is not ErrorType.INVALID_DATA:
            raise
        return False
    return True


async def _approved_ids(context: PageContext, chosen: Sequence[Row]) -> set[str]:
    """Return the version ids of the chosen documents that are approved."""
    if not chosen:
        return set()
    wanted = ", ".join(literal(_version_id(row)) for row in chosen)
    source = (
        f"ALLVERSIONS documents WHERE version_id CONTAINS ({wanted}) AND {APPROVED}"
    )
    rows = await selected(context, f"SELECT version_id FROM {source}")
    return {str(row["version_id"]) for row in rows}


def _version_id(row: Row) -> str:
    """Return the id of the version that a row names, such as ``12_1_0``."""
    number = str(row["version_number__v"]).replace(".", "_")
    return f"{row['document_id__v']}_{number}"
