"""Stores events of document versions outside the Vault: distributed, viewed, downloaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation
from shared.vault.audit import audit_entries as entries
from shared.vault.components.document_model import VERSIONS
from shared.vault.documents import document_store as store
from shared.vault.documents.document_store import Place
from shared.vault.documents.versions import Number
from shared.vault.errors import VaultFault
from shared.vault.records.email_addresses import is_one_address
from shared.vault.storage.clock import moment

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.documents.document_service import DocumentService
    from shared.vault.records.record_service import RecordService
    from shared.vault.storage.database import Connection, Database

DISTRIBUTION, DISTRIBUTION_LABEL = "distribution__v", "Distribution Event"
APPROVED_EMAIL = "approved_email__v"
SUBTYPES: Mapping[str, str] = {
    APPROVED_EMAIL: "Approved Email",
    "irep__v": "CRM",
    "engage__v": "Engage",
    "published_content__v": "Published Content",
    "clm__v": "CLM",
}
CLASSIFICATIONS: Mapping[str, str] = {
    "distribute__v": "Distribute",
    "view__v": "View",
    "download__v": "Download",
}
CHOSEN = ("event_type__v", "event_subtype__v", "classification__v")
EXTERNAL_ID, EMAIL = "external_id__v", "user_email__v"
MAX_EXTERNAL_ID = 250  # characters
MAX_LISTED = 1000  # events of a document, the latest ones

INSERT = """INSERT INTO platform.document_event (document_id, major_version, minor_version, event_type, event_subtype,
    classification, external_id, user_email, triggered_by, event_date)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"""
LISTED = f"""SELECT * FROM (SELECT * FROM platform.document_event WHERE document_id = $1
    ORDER BY id DESC LIMIT {MAX_LISTED}) latest ORDER BY id"""


@dataclass(frozen=True, slots=True)
class DocumentEvent:
    """An event of a version: its type, its recipient (an e-mail address), who logged it, and when."""

    subtype: str
    classification: str
    number: Number
    external_id: str | None
    user_email: str | None
    triggered_by: int
    date: datetime


class DocumentEvents:
    """Logs events for callers who may edit documents, and lists them for callers who may read documents."""

    def __init__(
        self, database: Database, documents: DocumentService, records: RecordService
    ) -> None:
        self._database = database
        self._documents = documents
        self._records = records

    async def create(
        self, caller: Caller, place: Place, fields: Mapping[str, str]
    ) -> None:
        """Log an event of a version.

        :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not edit documents; INVALID_DATA when there is no
            such version, or a value is not valid; PARAMETER_REQUIRED or ATTRIBUTE_NOT_SUPPORTED for a missing or
            unknown field.
        """
        chosen = _checked(fields)
        external_id, email = fields.get(EXTERNAL_ID), fields.get(EMAIL)

        async def work(connection: Connection) -> None:
            _, versions = self._documents.model(caller, Operation.EDIT)
            version = await store.locked(connection, versions, place)
            number = Number.of(version)
            now = await moment(connection)
            about = (place.document_id, int(number.major), int(number.minor))
            description = (*chosen, external_id or None, email or None)
            await connection.execute(INSERT, *about, *description, caller.user_id, now)
            lines = [("event", None, ".".join(chosen))]
            about_version = (place.document_id, lines, str(number))
            await entries.write_document_change(
                connection, caller, entries.EDIT, *about_version
            )

        await self._records.carry_out(work, VERSIONS)

    async def all(self, caller: Caller, document_id: int) -> list[DocumentEvent]:
        """Return the events of a document, the earliest first; at most the latest 1,000.

        :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not read documents; INVALID_DATA when there is no
            such document.
        """
        self._documents.model(caller, Operation.READ)
        async with self._database.connection() as connection:
            await store.find(connection, Place(document_id))
            rows = await connection.fetch(LISTED, document_id)
        return [
            DocumentEvent(
                row["event_subtype"],
                row["classification"],
                Number(row["major_version"], row["minor_version"]),
                row["external_id"],
                row["user_email"],
                row["triggered_by"],
                row["event_date"],
            )
            for row in rows
        ]


def require_type(event_type: str, subtype: str) -> None:
    """Check that an event type has a subtype.

    :raises VaultFault: INVALID_DATA when it does not.
    """
    if event_type != DISTRIBUTION or subtype not in SUBTYPES:
        message = "There is no such type and subtype of document events"
        raise VaultFault(ErrorType.INVALID_DATA, message)


def _checked(fields: Mapping[str, str]) -> tuple[str, ...]:
    """Return type, subtype and classification of an event.

    :raises VaultFault: PARAMETER_REQUIRED for a missing field, ATTRIBUTE_NOT_SUPPORTED for an unknown one, INVALID_DATA
        for an invalid value.
    """
    for name in sorted(fields.keys() - {*CHOSEN, EXTERNAL_ID, EMAIL}):
        message = f"An event has no field [{name[:100]}]"
        raise VaultFault(ErrorType.ATTRIBUTE_NOT_SUPPORTED, message)
    of_email = fields.get(CHOSEN[1]) == APPROVED_EMAIL
    needed = (*CHOSEN, EXTERNAL_ID, EMAIL) if of_email else CHOSEN
    for name in needed:
        if not fields.get(name):
            message = f"Missing required parameter [{name}]"
            raise VaultFault(ErrorType.PARAMETER_REQUIRED, message)
    event_type, subtype, classification = (fields[name] for name in CHOSEN)
    require_type(event_type, subtype)
    external_id, email = fields.get(EXTERNAL_ID, ""), fields.get(EMAIL, "")
    sound = {
        CHOSEN[2]: classification in CLASSIFICATIONS,
        EXTERNAL_ID: len(external_id) <= MAX_EXTERNAL_ID and external_id.isprintable(),
        EMAIL: not email or is_one_address(email),
    }
    for name, fits in sound.items():
        if not fits:
            message = f"Invalid value for parameter [{name}]"
            raise VaultFault(ErrorType.INVALID_DATA, message)
    return event_type, subtype, classification
