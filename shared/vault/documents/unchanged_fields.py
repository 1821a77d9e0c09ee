"""Removes unchanged fields that only the Vault sets from calls, since clients send whole documents back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from shared.protocol.json_values import read_moment
from shared.vault.queries.document_target import document_target, labels_of
from shared.vault.vql.syntax_tree import SourceOption

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.model.component_model import DocumentModel
    from shared.vault.storage.database import Connection

STAMPS = frozenset({"last_modified_by__v", "version_modified_date__v"})
Texts = Mapping[str, str]
"""Fields of a call as texts, like those of a form."""


async def without_unchanged(
    connection: Connection,
    model: DocumentModel,
    calls: Sequence[tuple[str, Texts]],
) -> list[Texts]:
    """Return the fields of calls without those that only the Vault sets and whose values are the stored ones.

    ``calls`` are ids of locked versions with the sent fields. Clients send a whole document back to change one field;
    the unchanged fields must not be refused.
    """
    target = document_target(model)
    if target is None:
        return [fields for _, fields in calls]
    named = {name for _, fields in calls for name in fields}
    guarded = {
        field.name
        for field in target.object.fields.values()
        if field.name in named and (field.system or not field.editable)
    }
    if not guarded:
        return [fields for _, fields in calls]
    every = target.options[SourceOption.ALLVERSIONS]
    sql = f"SELECT * FROM {every} AS d WHERE d.version_id = ANY($1::text[])"
    rows = await connection.fetch(sql, [version for version, _ in calls])
    stored = {row["version_id"]: row for row in rows}
    labels = labels_of(model)
    return [
        _changed(fields, stored[version], guarded, labels) for version, fields in calls
    ]


def _changed(
    fields: Texts,
    stored: Record,
    guarded: set[str],
    labels: Mapping[str, Texts],
) -> Texts:
    """Return the fields without those of ``guarded`` whose values equal the stored ones.

    Types and states are also compared by label.
    """
    changed: dict[str, str] = {}
    for name, text in fields.items():
        # Every change sets them anew: what was read before another change is no attempt to set them either.
        if name in STAMPS:
            continue
        known = labels.get(name, {})
        if name not in guarded or not _is_stored(text, stored[name], known):
            changed[name] = text
    return changed


def _is_stored(text: str, value: object, labels: Texts) -> bool:
    """Return whether a text equals a stored value, in the format of the API or as the value's label."""
    if value is None:
        return text == ""
    if isinstance(value, bool):
        return text.lower() == str(value).lower()
    if isinstance(value, datetime):
        return _moment(text) == value
    if isinstance(value, (int, Decimal)):
        return _number(text) == value
    return text in (value, labels.get(str(value)))


def _moment(text: str) -> datetime | None:
    """Return the moment in a text; None when the text is no moment."""
    try:
        return read_moment(text)
    except ValueError:
        return None


def _number(text: str) -> Decimal | None:
    """Return the number in a text; None when the text is no number."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return None
