"""Reads the response to a Case Request that is in preparation, and the packages that were made of earlier ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.vault.admin.listing import Row, listed, selected
from shared.vault.fulfillment.fulfillment_model import DOCUMENT, EXPIRES, LINK, RESPONSE
from shared.vault.vql import literal

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.admin.page_context import PageContext


@dataclass(frozen=True, slots=True)
class Draft:
    """A response without a package, with its documents in order; ``id`` is empty before the response is stored."""

    id: str = ""
    letter: str = ""
    expires: str = ""
    documents: list[Row] = field(default_factory=list)


async def draft_of(context: PageContext, record_id: str) -> Draft:
    """Return the latest response to a Case Request that has no link yet; an empty draft when there is none."""
    columns = f"id, LONGTEXT(cover_letter__v) AS cover_letter__v, {EXPIRES}"
    of_request = f"case_request__v = {literal(record_id)} AND {LINK} = null"
    statement = f"SELECT {columns} FROM {RESPONSE} WHERE {of_request}"
    page_ = await listed(context, f"{statement} ORDER BY created_date__v DESC", size=1)
    if not page_.rows:
        return Draft()
    row = page_.rows[0]
    columns = "id, name__v, document_id__v, version_number__v, order__v"
    of_response = f"case_response__v = {literal(row['id'])}"
    documents = await selected(
        context,
        f"SELECT {columns} FROM {DOCUMENT} WHERE {of_response} ORDER BY order__v, id",
    )
    letter = row["cover_letter__v"] or ""
    return Draft(row["id"], letter, row[EXPIRES] or "", documents)


async def packages_of(
    context: PageContext, record_id: str
) -> tuple[list[Row], list[Record]]:
    """Return the responses to a Case Request that have a link, and the history of all its packages."""
    columns = f"id, name__v, {LINK}, {EXPIRES}"
    of_request = f"case_request__v = {literal(record_id)}"
    statement = f"SELECT {columns} FROM {RESPONSE} WHERE {of_request}"
    rows = await selected(context, f"{statement} ORDER BY created_date__v DESC")
    ids = [str(row["id"]) for row in rows]
    made = await context.vault.package_door.packages_of(ids)
    return [row for row in rows if row[LINK]], made
