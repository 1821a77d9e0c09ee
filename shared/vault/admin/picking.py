"""Serves suggestions while a user types into a reference: a few matching records, each with a distinguishing hint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from shared.vault.access.permissions import Operation
from shared.vault.admin.listing import MAX_SEARCH, selected
from shared.vault.admin.page_context import CurrentPage, PageContext
from shared.vault.admin.viewing import object_of
from shared.vault.model.component_model import Field, FieldType
from shared.vault.vql import literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.vault.model.component_model import VaultObject

router = APIRouter(prefix="/pick")

OFFERED = 10
HINTS = 3  # fields beside the name
HINT_LENGTH = 60


@router.post("/{object_name}")
async def pick(context: CurrentPage, object_name: str) -> Response:
    """Return the records that match the typed text: id, name, and a hint that distinguishes them."""
    # By POST, as what is typed may be the name of a person, which must not stand in addresses and logs.
    target = object_of(context, object_name, Operation.READ)
    typed = context.form.fields.get("typed", "")[:MAX_SEARCH]
    rows = await _found(context, target, typed)
    offered = [_offered(target, row) for row in rows]
    return JSONResponse(offered)


async def _found(
    context: PageContext, target: VaultObject, typed: str
) -> list[dict[str, Any]]:
    """Return the rows of the matching records, the best matches first."""
    finder = context.vault.finder
    found = await finder.find(context.caller, target.name, typed, OFFERED)
    if not found:
        return []
    columns = ", ".join(["id", "name__v", *hinting(target)])
    ids = ", ".join(literal(each.id) for each in found)
    statement = f"SELECT {columns} FROM {target.name} WHERE id CONTAINS ({ids})"
    rows = {row["id"]: row for row in await selected(context, statement)}
    # A record may have been deleted in between.
    return [rows[each.id] for each in found if each.id in rows]


def hinting(target: VaultObject) -> list[str]:
    """Return the fields that distinguish records of the same name: unique ones first, then short texts."""
    texts = [
        each
        for each in target.fields.values()
        if each.active and not each.system and _is_short(each)
    ]
    by_use = sorted(texts, key=lambda each: not each.unique)
    return [each.name for each in by_use if each.name != "name__v"][:HINTS]


def _is_short(field: Field) -> bool:
    return field.type is FieldType.STRING and not field.name.startswith("link__")


def _offered(target: VaultObject, row: dict[str, Any]) -> dict[str, str]:
    """Return one record in the format of the input's script."""
    name = str(row["name__v"] or row["id"])
    return {"id": str(row["id"]), "name": name, "hint": hint_of(target, row)}


def hint_of(target: VaultObject, row: Mapping[str, Any]) -> str:
    """Return a line that distinguishes a record from others of its name."""
    name = str(row.get("name__v") or "")
    values = [str(row[field]) for field in hinting(target) if row.get(field)]
    # A value that is part of the name does not distinguish records of that name.
    return " · ".join(_cut(value) for value in values if value not in name)


def _cut(value: str) -> str:
    """Return the beginning of a value, at most ``HINT_LENGTH`` characters and whole words."""
    if len(value) <= HINT_LENGTH:
        return value
    words, _, _ = value[:HINT_LENGTH].rpartition(" ")
    return f"{words or value[: HINT_LENGTH - 1]}…"
