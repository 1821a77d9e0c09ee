"""Reads the documents of tasks for the pages of tasks."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.vault.access.permissions import Operation
from shared.vault.admin.listing import selected
from shared.vault.admin.viewing import object_of
from shared.vault.model.field_types import DOCUMENTS

if TYPE_CHECKING:
    from shared.vault.admin.page_context import PageContext
    from shared.vault.model.component_model import VaultObject

SHOWN = "document_number__v, major_version_number__v, minor_version_number__v, status__v, type__v"


@dataclass(frozen=True, slots=True)
class ShownDocument:
    """The latest version of a document: its number, version, name, type and state."""

    values: dict[str, Any]

    @property
    def name(self) -> str:
        """Return the document's name."""
        return str(self.values["name__v"])

    @property
    def version(self) -> str:
        """Return the version's number, such as ``1.0``."""
        major = self.values["major_version_number__v"]
        return f"{major}.{self.values['minor_version_number__v']}"


def contents_of(context: PageContext, object_name: str) -> VaultObject:
    """Return the object of a task's records; for documents, the object of document versions.

    :raises VaultFault: INSUFFICIENT_ACCESS; INVALID_DATA when there is no such object.
    """
    if object_name != DOCUMENTS:
        return object_of(context, object_name)
    _, versions = context.vault.documents.model(context.caller, Operation.READ)
    return versions


async def documents_of(
    context: PageContext, ids: Collection[str], fields: Collection[str] = ()
) -> list[ShownDocument]:
    """Return the existing documents among ``ids``, in order, each with ``fields`` besides the usual fields."""
    if not ids:
        return []
    wanted = ", ".join(dict.fromkeys(["id", "name__v", *SHOWN.split(", "), *fields]))
    listed = ", ".join(str(int(each)) for each in ids)
    statement = (
        f"SELECT {wanted} FROM documents WHERE id CONTAINS ({listed}) ORDER BY id"
    )
    return [ShownDocument(row) for row in await selected(context, statement)]
