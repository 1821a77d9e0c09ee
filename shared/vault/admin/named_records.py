"""Finds the records that a form names: by id, by name, or by a name with other case or without accents."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation, may
from shared.vault.admin.listing import listed
from shared.vault.errors import ApiError
from shared.vault.model.component_model import Field, FieldType
from shared.vault.vql import literal

if TYPE_CHECKING:
    from shared.vault.admin.page_context import PageContext

SEVERAL = "several records have this name; choose one of the suggested records, or enter its ID"
NONE = "there is no such record; choose one of the suggested records, or enter its ID"


async def with_ids(
    context: PageContext,
    fields: Sequence[Field],
    row: Mapping[str, object],
) -> tuple[dict[str, object], list[ApiError]]:
    """Return the row with ids instead of record names, and an error for each name that does not identify one record."""
    resolved = dict(row)
    errors: list[ApiError] = []
    for field in fields:
        value = row.get(field.name)
        if field.type is not FieldType.OBJECT or not value:
            continue
        # Records that the caller may not read are entered by id; the service checks the id.
        if not may(context.caller, field.object or "", Operation.READ):
            continue
        ids = await _meant(context, field.object or "", str(value))
        if len(ids) == 1:
            resolved[field.name] = ids[0]
        else:
            problem = SEVERAL if ids else NONE
            message = f"{field.label} [{field.name}]: {problem}"
            errors.append(ApiError(ErrorType.INVALID_DATA, message))
    return resolved, errors


async def _meant(context: PageContext, object_name: str, typed: str) -> list[str]:
    """Return the ids of the records that a text names, at most two."""
    text = literal(typed)
    where = f"id = {text} OR name__v = {text}"
    # Two rows suffice to know that a name is not unique.
    page = await listed(context, f"SELECT id FROM {object_name} WHERE {where}", size=2)
    if page.rows:
        return [str(each["id"]) for each in page.rows]
    # Only a whole name counts: a part of it may stand for another record.
    found = await context.vault.finder.find(context.caller, object_name, typed)
    wanted = _folded(typed)
    return [each.id for each in found if _folded(each.name) == wanted][:2]


def _folded(text: str) -> str:
    """Return a name for comparison: in lower case, without accents, and with single spaces."""
    decomposed = unicodedata.normalize("NFKD", text)
    letters = [each for each in decomposed if not unicodedata.combining(each)]
    return " ".join("".join(letters).casefold().split())
