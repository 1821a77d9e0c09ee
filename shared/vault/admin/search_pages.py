"""Serves the search over all objects: records by the beginnings of words, by external id or by id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.responses import Response

from shared.vault.admin.listing import MAX_SEARCH, Search, selected
from shared.vault.admin.page_context import CurrentPage, PageContext
from shared.vault.admin.picking import hint_of, hinting
from shared.vault.admin.showing import record_path
from shared.vault.queries.query_pages import unless_changed
from shared.vault.vql import literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.vault.model.component_model import VaultObject
    from shared.vault.queries.record_finder import FoundRecord

router = APIRouter(prefix="/search")

OF_EACH = 5  # records of one object


@dataclass(frozen=True, slots=True)
class Hit:
    """A record that was found: its name, the address of its page, and a distinguishing hint."""

    name: str
    path: str
    hint: str


@dataclass(frozen=True, slots=True)
class Hits:
    """The first hits of one object; ``path`` is the list of all hits, empty when these are all."""

    label: str
    hits: list[Hit]
    path: str


@router.post("")
async def search(context: CurrentPage) -> Response:
    """Redirect to the results of a search."""
    # By POST, and by an id from then on: words may be names of people, which must not stand in addresses and logs.
    words = context.form.fields.get("q", "").replace("\x00", "")[:MAX_SEARCH].strip()
    if not words:
        return context.go("/ui/search")
    search_id = await context.vault.searches.save(context.caller.user_id, words)
    return context.go(f"/ui/search?search={search_id}")


@router.get("")
async def results(context: CurrentPage, search: Search = "") -> Response:
    """List the results of a search, by object."""
    words = await context.vault.searches.words(context.caller.user_id, search)
    finder = context.vault.finder

    async def find() -> tuple[list[Hits], bool]:
        names = _names(context)
        found = await finder.find_everywhere(context.caller, names, words, OF_EACH + 1)
        shown = [
            await _hits(context, context.registry.objects[name], records, search)
            for name, records in found.records.items()
        ]
        return shown, found.whole

    shown, whole = await unless_changed(context.vault.components, find)
    return context.page(
        "search.html",
        words=words,
        found=shown,
        whole=whole,
        is_gone=bool(search) and not words,
    )


def _names(context: PageContext) -> list[str]:
    """Return the searched objects: first those that people of this Vault work with, then the others by label."""
    definition = context.vault.definition
    desk = (definition.desk.object,) if definition.desk is not None else ()
    by_label = sorted(
        context.registry.objects.values(), key=lambda each: each.label_plural.lower()
    )
    others = [each.name for each in by_label if each.active]
    first = [name for name in (*desk, *definition.first_objects) if name in others]
    return list(dict.fromkeys([*first, *others]))


async def _hits(
    context: PageContext, target: VaultObject, found: Sequence[FoundRecord], search: str
) -> Hits:
    """Return the hits of one object, each with a distinguishing hint."""
    shown = found[:OF_EACH]
    columns = ", ".join(["id", "name__v", *hinting(target)])
    ids = ", ".join(literal(each.id) for each in shown)
    statement = f"SELECT {columns} FROM {target.name} WHERE id CONTAINS ({ids})"
    rows = {row["id"]: row for row in await selected(context, statement)}
    hits = [
        Hit(
            name=each.name or each.id,
            path=record_path(target.name, each.id),
            hint=hint_of(target, rows[each.id]),
        )
        for each in shown
        # A record may have been deleted in between.
        if each.id in rows
    ]
    more = len(found) > OF_EACH
    path = f"/ui/objects/{target.name}?view=all&search={search}" if more else ""
    return Hits(target.label_plural or target.label, hits, path)
