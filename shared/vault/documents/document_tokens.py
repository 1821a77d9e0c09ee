"""Issues access tokens for documents, and returns a token's document version to its bearer, who needs no user."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from shared.protocol.error_types import ErrorType
from shared.protocol.json_values import date_time_text
from shared.vault.access.permissions import Operation, in_person
from shared.vault.audit import audit_entries as entries
from shared.vault.components.document_model import DOCUMENT_ID, STEADY, VERSIONS
from shared.vault.documents import document_store as store
from shared.vault.documents.document_content import StoredFile
from shared.vault.documents.document_states import states_of_type
from shared.vault.documents.document_store import VERSION_TABLE
from shared.vault.errors import ApiError, VaultFault
from shared.vault.queries.document_target import SOURCE_FILE
from shared.vault.storage.clock import moment

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.documents.document_service import DocumentService
    from shared.vault.files.content_service import ContentService
    from shared.vault.model.component_model import DocumentModel
    from shared.vault.records.record_service import RecordService
    from shared.vault.storage.database import Connection, Database

VIEWABLE = "viewable_rendition__v"
MAX_DAYS = 3650  # of a token: ten years, which is also what one has that names no number of days
MAX_GROUP = 100  # documents that the bearer of one token sees beside its own

INSERT = """INSERT INTO platform.document_token
    (digest, document_id, version_id, download_option, channel, token_group, created_by, created_date, expires)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"""
STEADY_VERSION = f"""SELECT id FROM {VERSION_TABLE} WHERE {DOCUMENT_ID} = $1
    AND lifecycle__v || '.' || status__v = ANY($2::text[])
ORDER BY major_version_number__v DESC, minor_version_number__v DESC LIMIT 1"""
# The token of a digest first, then those of its group; of each document the token that was given out first.
SHARED = f"""
WITH named AS (SELECT * FROM platform.document_token WHERE digest = $1 AND expires > now())
SELECT * FROM (SELECT DISTINCT ON (t.version_id) t.id = n.id AS own, t.id AS token_id, t.version_id, t.download_option,
    v.name__v AS name, v.title__v AS title
FROM named n JOIN platform.document_token t
    ON t.id = n.id OR (t.token_group = n.token_group AND t.created_by = n.created_by AND t.expires > now())
JOIN {VERSION_TABLE} v ON v.id = t.version_id
ORDER BY t.version_id, t.id = n.id DESC, t.id) shared ORDER BY own DESC, token_id LIMIT $2"""
FILES = "SELECT rendition, filename, format, sha256 FROM platform.document_file WHERE version_id = $1"
EXPIRED = "DELETE FROM platform.document_token WHERE expires <= now()"


class DownloadOption(StrEnum):
    """The files that the bearer of a token may download, in addition to viewing the document."""

    PDF = "PDF"
    SOURCE = "source"
    BOTH = "both"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequest:
    """The request for one token for each document: for its latest version or, if ``steady``, its latest steady one."""

    document_ids: Sequence[int]
    days: int = MAX_DAYS
    download: DownloadOption = DownloadOption.NONE
    channel: str | None = None
    group: str | None = None
    steady: bool = False


@dataclass(frozen=True, slots=True)
class TokenResult:
    """A document's new token, or its error."""

    document_id: int
    token: str = ""
    error: ApiError | None = None


@dataclass(frozen=True, slots=True)
class SharedDocument:
    """A version that a token shows to its bearer; ``number`` distinguishes the versions of one token."""

    number: int
    version_id: str
    name: str
    title: str | None
    download: DownloadOption


class DocumentTokens:
    """Issues tokens to callers who may edit documents, and returns documents to bearers of valid tokens."""

    def __init__(
        self,
        database: Database,
        documents: DocumentService,
        records: RecordService,
        content: ContentService,
        vault_id: int,
    ) -> None:
        self._database = database
        self._documents = documents
        self._records = records
        self._content = content
        self._vault_id = vault_id

    async def create(self, caller: Caller, wanted: TokenRequest) -> list[TokenResult]:
        """Issue a token for each document, in the order of the request.

        :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not edit documents, and in the session of a delegate
            or a connection.
        """
        # A token is access to whoever bears it, and outlives the session by years.
        in_person(caller)

        async def work(connection: Connection) -> list[TokenResult]:
            model, _ = self._documents.model(caller, Operation.EDIT)
            ids = dict.fromkeys(wanted.document_ids)
            await connection.execute(store.ALONE, sorted(ids))
            return [
                await self._one(connection, caller, model, each, wanted) for each in ids
            ]

        return await self._records.carry_out(work, VERSIONS)

    async def _one(
        self,
        connection: Connection,
        caller: Caller,
        model: DocumentModel,
        document_id: int,
        wanted: TokenRequest,
    ) -> TokenResult:
        """Issue the token of one document, which the transaction has locked."""
        version = await connection.fetchval(store.LATEST, document_id)
        if version is None:
            message = f"Document not found [{document_id}]."
            error = ApiError(ErrorType.INVALID_DOCUMENT, message)
            return TokenResult(document_id, error=error)
        if wanted.steady:
            states = _steady_states(model)
            version = await connection.fetchval(STEADY_VERSION, document_id, states)
        if version is None:
            message = f"Document [{document_id}] has no version in a steady state."
            error = ApiError(ErrorType.INVALID_STATE, message)
            return TokenResult(document_id, error=error)
        token = f"{self._vault_id}-{uuid4()}"
        now: datetime = await moment(connection)
        expires = now + timedelta(days=wanted.days)
        about = (document_id, version, wanted.download, wanted.channel, wanted.group)
        dates = (caller.user_id, now, expires)
        await connection.execute(INSERT, _digest(token), *about, *dates)
        lines = [("document_token", None, f"until {date_time_text(expires)}")]
        await entries.write_document_change(
            connection, caller, entries.EDIT, document_id, lines
        )
        return TokenResult(document_id, token)

    async def shown(self, token: str) -> list[SharedDocument]:
        """Return the documents that a token shows: its own, and those of its group.

        :raises VaultFault: INVALID_DATA for a text that is not a token, or for a token that has expired or whose
            version was deleted.
        """
        self.check_form(token)
        digest = _digest(token)
        async with self._database.connection() as connection:
            rows = await connection.fetch(SHARED, digest, MAX_GROUP + 1)
        # A token whose own version is gone shows nothing of its group either.
        if not rows or not rows[0]["own"]:
            raise _no_token()
        return [_shared(number, row) for number, row in enumerate(rows)]

    async def files(self, document: SharedDocument) -> dict[str, StoredFile]:
        """Return the files of a shown document by rendition type: the source file, under "", and the viewable one."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(FILES, document.version_id)
        found: dict[str, StoredFile] = {}
        for row in rows:
            if row["rendition"] not in (SOURCE_FILE, VIEWABLE):
                continue
            content = await self._content.find(row["sha256"])
            if content is not None:
                file = StoredFile(content, row["filename"], row["format"])
                found[row["rendition"]] = file
        return found

    async def purge(self) -> None:
        """Remove tokens that have expired."""
        async with self._database.connection() as connection:
            await connection.execute(EXPIRED)

    def check_form(self, token: str) -> None:
        """Check that a text has the form of a token of this Vault, without a query.

        :raises VaultFault: INVALID_DATA when the text does not have the form of a token of this Vault.
        """
        vault, _, secret = token.partition("-")
        try:
            sound = vault == str(self._vault_id) and str(UUID(secret)) == secret
        except ValueError:
            sound = False
        if not sound:
            raise _no_token()


def _digest(token: str) -> str:
    """Return the digest under which a token is stored; its 122 random bits cannot be derived from the digest."""
    return hashlib.sha256(token.encode()).hexdigest()


def _steady_states(model: DocumentModel) -> list[str]:
    """Return the steady states of all lifecycles as ``lifecycle.state``."""
    return [
        f"{lifecycle.name}.{state}"
        for lifecycle in model.lifecycles.values()
        for state in states_of_type(lifecycle, STEADY)
    ]


def _shared(number: int, row: Record) -> SharedDocument:
    """Return the document in a stored row, as the bearer of a token may see it."""
    download = DownloadOption(row["download_option"])
    about = (row["version_id"], row["name"], row["title"])
    return SharedDocument(number, *about, download)


def _no_token() -> VaultFault:
    """Return the fault of an invalid token, which is the same for expired and unknown tokens."""
    message = "The link is not valid, or no longer"
    return VaultFault(ErrorType.INVALID_DATA, message)
