"""Finds the documents that rows identify by ``id`` or by a text field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.protocol.whole_numbers import whole_number
from shared.vault.components.document_model import (
    DOCUMENT_ID,
    EXTERNAL_ID,
    VERSIONS,
)
from shared.vault.components.schema import quote, table
from shared.vault.documents import document_store as store
from shared.vault.errors import VaultFault
from shared.vault.model.component_model import FieldType

if TYPE_CHECKING:
    from shared.vault.model.component_model import VaultObject
    from shared.vault.records.rows import ResolvedRow
    from shared.vault.storage.database import Connection

ID = "id"
MAX_ID = 2**31 - 1
EXTERNAL_IDS = f"""SELECT {DOCUMENT_ID} AS id, {EXTERNAL_ID} AS external_id FROM {table(VERSIONS)}
WHERE {DOCUMENT_ID} = ANY($1::bigint[]) AND latest_version__sys"""


@dataclass(frozen=True, slots=True)
class NamedDocument:
    """The id of the document that a row names, None for none or several; and the document's external id, if any."""

    id: int | None
    external_id: str | None


async def named_documents(
    connection: Connection,
    versions: VaultObject,
    key: str,
    values: Sequence[str],
) -> list[NamedDocument]:
    """Return, for each value, the document that ``named`` finds, with the external id of its latest version.

    :raises VaultFault: as ``named`` does.
    """
    ids = await named(connection, versions, key, values)
    found = [each for each in ids if each is not None]
    rows = await connection.fetch(EXTERNAL_IDS, found)
    external_ids: dict[int | None, str | None] = {
        row["id"]: row["external_id"] for row in rows
    }
    return [NamedDocument(each, external_ids.get(each)) for each in ids]


async def named(
    connection: Connection,
    versions: VaultObject,
    key: str,
    values: Sequence[str],
) -> list[int | None]:
    """Return, for each value of ``id`` or of a text field, the id of the document that has it.

    The id is None for a value that identifies no document, or several.

    :raises VaultFault: INVALID_DATA when ``key`` is neither ``id`` nor a text field.
    """
    if key == ID:
        return [_document_id(value) for value in values]
    _require_key(versions, key)
    rows = await connection.fetch(
        f"SELECT {quote(key)} AS key, {DOCUMENT_ID} AS id FROM {table(VERSIONS)} "
        f"WHERE {quote(key)} = ANY($1::text[]) AND latest_version__sys",
        list(values),
    )
    found: dict[str, list[int]] = {}
    for row in rows:
        found.setdefault(row["key"], []).append(row["id"])
    return [_only(found.get(value, ())) for value in values]


def _document_id(text: str) -> int | None:
    """Return the document id in a text; None when the text is not an id."""
    return whole_number(text, MAX_ID)


def _only(ids: Sequence[int]) -> int | None:
    """Return the only id; None when there are none or several."""
    return ids[0] if len(ids) == 1 else None


def _require_key(versions: VaultObject, key: str) -> None:
    """Check that ``key`` is a text field with a single value.

    :raises VaultFault: INVALID_DATA for any other field.
    """
    field = versions.fields.get(key)
    if field is None or field.type is not FieldType.STRING or field.multi_value:
        raise VaultFault(
            ErrorType.INVALID_DATA,
            f"[{key[:100]}] is not a field that names a document",
        )


async def fail_existing_values(
    connection: Connection,
    versions: VaultObject,
    key: str,
    rows: Sequence[ResolvedRow],
) -> None:
    """Add an error to rows without a value of ``key``, or with one that a document or an earlier row has.

    Of two calls that create documents with the same value, the later one waits.

    :raises VaultFault: INVALID_DATA when ``key`` is not a text field.
    """
    _require_key(versions, key)
    values = [row.values.get(key) for row in rows]
    texts = [str(value) for value in values if value is not None]
    taken = await store.lock_values(connection, key, texts)
    for row, value in zip(rows, values, strict=True):
        if value is None:
            row.fail(
                ErrorType.PARAMETER_REQUIRED, f"Missing required parameter [{key}]"
            )
        elif value in taken:
            row.fail(ErrorType.ITEM_NAME_EXISTS, f"A document has this [{key}] already")
        else:
            taken.add(str(value))
