"""Describes attachments as values: stored attachments, additions, and the steps of carrying them out."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from shared.vault.files.content_service import Content

MAX_FILENAME = 255
MAX_DESCRIPTION = 1000
MAX_EXTERNAL_ID = 250

# Only Python's own types, which do not depend on the types registered on the machine.
_TYPES = mimetypes.MimeTypes()
TYPES: Mapping[str, str] = _TYPES.types_map[True]
"""Media types by the endings of file names, in lower case with their dot."""

OCTETS = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Version:
    """One file of an attachment, with the number of its version."""

    number: int
    description: str | None
    content: Content
    created_by: int
    created_date: datetime


class Handle(str):
    """The value of an attachment field in a row, which identifies a stored file."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class UnstoredFile:
    """The value of an attachment field in a row, for a file that could not be stored; ``reason`` is the row's error."""

    reason: str


@dataclass(frozen=True, slots=True)
class FieldFile:
    """The file of an attachment field; ``format`` is its media type."""

    handle: str
    filename: str
    format: str
    content: Content
    last_stored: datetime


def media_type(filename: str) -> str:
    """Return the media type of a file by the ending of its name."""
    guessed, _ = _TYPES.guess_type(filename)
    return guessed or OCTETS


@dataclass(frozen=True, slots=True)
class Attachment:
    """An attachment: a file name of a record, with its versions (at least one), the earliest first."""

    id: int
    record_id: str
    filename: str
    external_id: str | None
    versions: tuple[Version, ...]

    @property
    def latest(self) -> Version:
        """Return the latest version."""
        return self.versions[-1]

    @property
    def format(self) -> str:
        """Return the media type by the ending of the file's name."""
        return media_type(self.filename)

    def version(self, number: int) -> Version:
        """Return the version of this number.

        :raises VaultFault: INVALID_DATA when there is no such version.
        """
        for version in self.versions:
            if version.number == number:
                return version
        raise VaultFault(
            ErrorType.INVALID_DATA, f"The attachment has no version [{number}]"
        )

    def audit_text(self, version: Version) -> str:
        """Return the text of a version on the audit trail."""
        return audit_text(self.filename, version.number, version.description)


def audit_text(filename: str, version: int, description: str | None) -> str:
    """Return the text of a version on the audit trail."""
    text = f"{filename} ({version})"
    return f"{text}: {description}" if description else text


@dataclass(frozen=True, slots=True)
class Addition:
    """A file to attach to a record; its bytes are stored already, under ``sha256``.

    ``restored`` is True for an earlier version of the attachment.
    """

    record_id: str
    filename: str
    sha256: str
    description: str | None = None
    external_id: str | None = None
    restored: bool = False


@dataclass(frozen=True, slots=True)
class StoredAttachment:
    """A stored attachment for planning additions: its latest version, and the highest version number ever used."""

    id: int
    record_id: str
    filename: str
    last_version: int
    version: int
    sha256: str
    description: str | None

    @property
    def audit_text(self) -> str:
        """Return the text of the latest version on the audit trail."""
        return audit_text(self.filename, self.version, self.description)


@dataclass(frozen=True, slots=True)
class Step:
    """An addition, with the attachment after it and, if there was one, the attachment before it.

    ``added`` is False when the record already has the same bytes attached; ``after`` is then that attachment.
    """

    addition: Addition
    after: StoredAttachment
    before: StoredAttachment | None
    added: bool


def plan(
    additions: Sequence[Addition],
    known: Sequence[StoredAttachment],
    new_ids: Iterator[int],
) -> list[Step]:
    """Return a step for each addition, in order; a file name that a record already has gets a new version.

    ``known`` are the stored attachments of the records, ``new_ids`` as many ids as there are additions.
    """
    by_name = {(each.record_id, each.filename): each for each in known}
    by_content = {(each.record_id, each.sha256): each for each in known}
    steps = []
    for addition in additions:
        same = by_content.get((addition.record_id, addition.sha256))
        if same is not None and _stands_for(same, addition):
            steps.append(Step(addition, same, same, added=False))
            continue
        before = by_name.get((addition.record_id, addition.filename))
        after = _after(addition, before, new_ids)
        # The bytes of the version before are not those of the latest one any more.
        if before is not None:
            by_content.pop((before.record_id, before.sha256), None)
        by_name[after.record_id, after.filename] = after
        by_content[after.record_id, after.sha256] = after
        steps.append(Step(addition, after, before, added=True))
    return steps


def _stands_for(same: StoredAttachment, addition: Addition) -> bool:
    """Return whether an attachment with the same bytes makes an addition unnecessary.

    A restored version keeps its own name, even if another attachment has the same bytes.
    """
    return same.filename == addition.filename or not addition.restored


def _after(
    addition: Addition,
    before: StoredAttachment | None,
    new_ids: Iterator[int],
) -> StoredAttachment:
    """Return the attachment after an addition: a new one, or the existing one with one more version."""
    if before is None:
        attachment_id, number = next(new_ids), 1
        description = addition.description
    else:
        # Beyond the highest number of any version, so that no number of a deleted one comes again.
        attachment_id, number = before.id, before.last_version + 1
        description = addition.description or before.description
    return StoredAttachment(
        id=attachment_id,
        record_id=addition.record_id,
        filename=addition.filename,
        last_version=number,
        version=number,
        sha256=addition.sha256,
        description=description or None,
    )


def checked_filename(name: str) -> str:
    """Return a file name as it is stored, without folders.

    :raises VaultFault: INVALID_DATA when the name is empty, too long or not printable.
    """
    path = name.replace("\\", "/")
    plain = path.rpartition("/")[2].strip()
    if plain in ("", ".", "..") or not plain.isprintable() or len(plain) > MAX_FILENAME:
        raise VaultFault(
            ErrorType.INVALID_DATA,
            f"A file's name has 1 to {MAX_FILENAME} printable characters",
        )
    return plain


def checked_text(name: str, value: object, max_length: int) -> str | None:
    """Return a description or external id, None for an empty one.

    :raises VaultFault: INVALID_DATA when the text is too long, or has a null character.
    """
    text = "" if value is None else str(value)
    # PostgreSQL stores no null characters in texts.
    if len(text) > max_length or "\x00" in text:
        raise VaultFault(
            ErrorType.INVALID_DATA, f"[{name}] has at most {max_length} characters"
        )
    return text or None
