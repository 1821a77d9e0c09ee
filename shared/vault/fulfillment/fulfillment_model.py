"""Names the objects of responses, and describes a response package as its recipient sees it."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from shared.vault.components.document_model import DOCUMENT_ID, STEADY, SUPERSEDED
from shared.vault.documents.document_store import VERSION_TABLE
from shared.vault.documents.versions import LIFECYCLE, MAJOR, MINOR, Number

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from asyncpg import Record

    from shared.vault.components.registry import Registry
    from shared.vault.storage.database import Connection

REQUEST = "case_request__v"
RESPONSE = "case_response__v"
DOCUMENT = "fulfillment_document__v"
TEMPLATE = "cover_letter_template__v"
LINK = "response_package_link__v"
EXPIRES = "expiration_date__v"
# Named actions.
MAKE_PACKAGE = "make_response_package"
REVOKE_PACKAGE = "revoke_response_package"

PATH = "/ui/answers/"
"""The path of the pages of packages; the token of a link follows it."""
MAX_DOCUMENTS = 50  # of one package
TOKEN_BYTES = 32
# So many bytes in base64, without the padding.
TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")

VERSIONS_OF = f"""SELECT id, {DOCUMENT_ID} AS document_id, {MAJOR}, {MINOR}, {LIFECYCLE}, status__v,
    {{expires}} AS expires FROM {VERSION_TABLE} WHERE {DOCUMENT_ID} = ANY($1::bigint[])"""


@dataclass(frozen=True, slots=True)
class PackageFile:
    """A file of a package; ``served`` is False when its document was withdrawn, has expired, or was deleted."""

    position: int
    name: str
    filename: str
    format: str
    sha256: str
    size: int
    served: bool = True


@dataclass(frozen=True, slots=True)
class ResponsePackage:
    """A package as its recipient sees it; ``expires`` is None for a preview."""

    id: int
    response: str
    title: str
    cover_letter: str
    made: datetime
    expires: datetime | None
    files: Sequence[PackageFile]


@dataclass(frozen=True, slots=True)
class DocumentVersion:
    """A version of a document, with the type of its state; ``expires`` is its last day, None if it has none."""

    id: str
    document_id: int
    number: Number
    state_type: str | None
    expires: date | None

    def valid(self, today: date) -> bool:
        """Return whether the version is approved, or was until a newer one replaced it, and has not expired."""
        in_time = self.expires is None or self.expires >= today
        return in_time and self.state_type in (STEADY, SUPERSEDED)


def new_token() -> str:
    """Return the token of a new link."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def may_be_token(text: str) -> bool:
    """Return whether a text from an address has the form of a link's token."""
    return TOKEN.fullmatch(text) is not None


def token_digest(token: str) -> bytes:
    """Return the digest under which a link is stored."""
    return hashlib.sha256(token.encode()).digest()


def state_types(registry: Registry) -> Mapping[tuple[str, str], str | None]:
    """Return the types of the states of documents, by lifecycle and state."""
    lifecycles = registry.documents.lifecycles.values()
    return {
        (lifecycle.name, state.name): state.state_type
        for lifecycle in lifecycles
        for state in lifecycle.states.values()
    }


async def versions_of(
    connection: Connection, registry: Registry, documents: Sequence[int]
) -> list[DocumentVersion]:
    """Return all versions of documents; none in a Vault without document types."""
    versions = registry.documents.versions
    if versions is None:
        return []
    # The field is the configuration's own, which may have dropped it.
    expires = EXPIRES if EXPIRES in versions.fields else "NULL::date"
    sql = VERSIONS_OF.format(expires=expires)
    rows = await connection.fetch(sql, documents)
    types = state_types(registry)
    return [_version(row, types) for row in rows]


def _version(
    row: Record, types: Mapping[tuple[str, str], str | None]
) -> DocumentVersion:
    state_type = types.get((row[LIFECYCLE], row["status__v"]))
    number = Number.of(row)
    return DocumentVersion(
        row["id"], row["document_id"], number, state_type, row["expires"]
    )


def served_versions(versions: Iterable[DocumentVersion], today: date) -> set[str]:
    """Return the ids of the versions that recipients may still see.

    A newer version does not withdraw an older approved one. A withdrawal or expiry does: the newest version that is no
    draft decides for all of them.
    """
    # Drafts, and what is in a state that the configuration has lost since, decide nothing.
    settled = [each for each in versions if each.number.minor == 0]
    newest: dict[int, DocumentVersion] = {}
    for each in settled:
        latest = newest.get(each.document_id)
        if latest is None or latest.number < each.number:
            newest[each.document_id] = each
    return {
        each.id
        for each in settled
        if each.valid(today) and newest[each.document_id].valid(today)
    }
