"""Reads and checks the rows of calls about attachments of many records or documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.protocol.whole_numbers import whole_number
from shared.vault.errors import MAX_ERRORS, RowErrors, VaultFault
from shared.vault.files.attachment_model import (
    MAX_DESCRIPTION,
    MAX_EXTERNAL_ID,
    Addition,
    checked_filename,
    checked_text,
)

if TYPE_CHECKING:
    from shared.vault.records.record_writes import Source

MAX_ID = 2**31 - 1

FILENAME = "filename__v"
FILE = "file"
DESCRIPTION = "description__v"
EXTERNAL_ID = "external_id__v"
ATTACHMENT_ID = "attachment_id"
ID = "id"


@dataclass(frozen=True, slots=True)
class Naming:
    """The columns by which rows name an attachment: its own id, and its owner's, which may be left out if optional.

    ``also`` are further columns of rows that add attachments.
    """

    owner: str = ID
    attachment: str = ATTACHMENT_ID
    owner_optional: bool = False
    also: tuple[str, ...] = ()

    @property
    def required(self) -> tuple[str, ...]:
        """Return the columns that each row must have."""
        if self.owner_optional:
            return (self.attachment,)
        return (self.owner, self.attachment)


@dataclass(slots=True)
class BatchRow(RowErrors):
    """One row of a call with its result: the attachment and its version, or errors.

    ``warned`` is True when nothing was added, because the record already has an attachment with the same bytes.
    """

    values: Mapping[str, object]
    attachment_id: int | None = None
    version: int | None = None
    warned: bool = False

    def text(self, name: str) -> str:
        """Return the value of a column as text, empty without one."""
        value = self.values.get(name)
        if value is None:
            return ""
        return str(value)

    def refuse(self, fault: VaultFault) -> None:
        """Add the error of a fault to the row's errors."""
        self.errors.append(fault.error)

    def done(self, attachment_id: int, version: int) -> None:
        """Record the attachment that the row concerns, and its version."""
        self.attachment_id = attachment_id
        self.version = version


def checked(
    values: Mapping[str, object],
    known: set[str],
    required: Sequence[str],
) -> BatchRow:
    """Return a row, with an error for each column that is unknown, missing or not valid."""
    row = BatchRow(values)
    # A row has at most so many errors.
    for name in islice(values.keys() - known, MAX_ERRORS + 1):
        row.fail(
            ErrorType.ATTRIBUTE_NOT_SUPPORTED,
            f"Rows of this call have no column [{name[:100]}]",
        )
    for name in required:
        # An empty description is valid: it removes the stored description.
        removes = name == DESCRIPTION and name in values
        if not row.text(name) and not removes:
            row.fail(
                ErrorType.PARAMETER_REQUIRED, f"Missing required parameter [{name}]"
            )
    for name, most in ((DESCRIPTION, MAX_DESCRIPTION), (EXTERNAL_ID, MAX_EXTERNAL_ID)):
        try:
            checked_text(name, values.get(name), most)
        except VaultFault as fault:
            row.refuse(fault)
    return row


def description_of(row: BatchRow) -> str | None:
    """Return the description in a checked row; None when the row removes the description."""
    return checked_text(DESCRIPTION, row.values[DESCRIPTION], MAX_DESCRIPTION)


def addition_of(
    row: BatchRow,
    sha256: str | None,
    record_id: str | None,
) -> Addition | None:
    """Return the addition of a row; None for a row with errors. An invalid file name becomes an error of the row."""
    try:
        filename = checked_filename(row.text(FILENAME))
    except VaultFault as fault:
        row.refuse(fault)
        return None
    if sha256 is None or record_id is None:
        return None
    description = row.text(DESCRIPTION) or None
    external_id = row.text(EXTERNAL_ID) or None
    return Addition(record_id, filename, sha256, description, external_id)


def read_named(
    rows: Source, naming: Naming, id_param: str | None, *required: str
) -> list[BatchRow]:
    """Return rows that name attachments by the columns of ``naming`` or, with ``id_param``, by external id.

    :raises VaultFault: INVALID_DATA when ``id_param`` is another column.
    """
    if id_param not in (None, EXTERNAL_ID):
        raise VaultFault(
            ErrorType.INVALID_DATA,
            f"Attachments are named by [{EXTERNAL_ID}], or without idParam",
        )
    known = {naming.owner, naming.attachment, EXTERNAL_ID, *required}
    names = (EXTERNAL_ID,) if id_param else naming.required
    read = [checked(row, known, (*names, *required)) for row in rows]
    for row in read:
        if row.errors or id_param:
            continue
        if attachment_id(row.text(naming.attachment)) is None:
            row.fail(
                ErrorType.INVALID_DATA,
                f"Invalid value for parameter [{naming.attachment}]",
            )
    return read


def attachment_id(text: str) -> int | None:
    """Return the attachment id in a text; None for an invalid one."""
    return whole_number(text, MAX_ID)
