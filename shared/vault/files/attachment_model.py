"""Attachments as values: what is stored, what is to be added, and the plan that leads from one to the other."""

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

_TYPES = (
    mimetypes.MimeTypes()
)  # those that Python knows, whatever this machine has registered
TYPES: Mapping[str, str] = _TYPES.types_map[True]
"""Media types by the endings of file names, in lower case with their dot."""

OCTETS = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Version:
    """One file that an attachment has had."""

    number: int
    description: str | None
    content: Content
    created_by: int
    created_date: datetime


class Handle(str):
    """What an attachment field holds for a file that is kept, as the value of a row."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Unkept:
    """A file that a row names and that could not be kept, as the value of the row; why, for the row's error."""

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
    """The media type that a file's name stands for."""
    return _TYPES.guess_type(filename)[0] or OCTETS


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file name of a record, and its versions, the earliest first; there is one at least."""

    id: int
    record_id: str
    filename: str
    external_id: str | None
    versions: tuple[Version, ...]

    @property
    def latest(self) -> Version:
        """The version that counts."""
        return self.versions[-1]

    @property
    def format(self) -> str:
        """The media type that the file's name stands for."""
        return media_type(self.filename)

    def version(self, number: int) -> Version:
        """The version of this number; raises VaultFault ``INVALID_DATA``."""
        for version in self.versions:
            if version.number == number:
                return version
        raise VaultFault(
            ErrorType.INVALID_DATA, f"The attachment has no version [{number}]"
        )

    def told(self, version: Version) -> str:
        """The version as the audit trail tells of it."""
        return told(self.filename, version.number, version.description)


def told(filename: str, version: int, description: str | None) -> str:
    """A version as the audit trail tells of it."""
    return f"{filename} ({version}){f': {description}' if description else ''}"


@dataclass(frozen=True, slots=True)
class Addition:
    """A file that is to be attached to a record; its bytes are kept already, under ``sha256``.

    It is ``restored`` when it was a version of the attachment before.
    """

    record_id: str
    filename: str
    sha256: str
    description: str | None = None
    external_id: str | None = None
    restored: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """An attachment as far as it matters to additions: its latest version, and the highest number given to any."""

    id: int
    record_id: str
    filename: str
    last_version: int
    version: int
    sha256: str
    description: str | None

    @property
    def told(self) -> str:
        """The latest version as the audit trail tells of it."""
        return told(self.filename, self.version, self.description)


@dataclass(frozen=True, slots=True)
class Step:
    """What an addition comes to: the attachment after it, and the one before it, if there was one.

    Nothing is ``added`` where the record has the same bytes attached already; ``after`` is then the one that has them.
    """

    addition: Addition
    after: Known
    before: Known | None
    added: bool


def plan(
    additions: Sequence[Addition], known: Sequence[Known], new_ids: Iterator[int]
) -> list[Step]:
    """Steps for additions to records, in their order; a file name that a record has gets a new version."""
    named = {(each.record_id, each.filename): each for each in known}
    held = {(each.record_id, each.sha256): each for each in known}
    steps = []
    for addition in additions:
        same = held.get((addition.record_id, addition.sha256))
        if same is not None and (
            same.filename == addition.filename or not addition.restored
        ):
            steps.append(Step(addition, same, same, added=False))
            continue
        before = named.get((addition.record_id, addition.filename))
        number = before.last_version + 1 if before else 1
        after = Known(
            id=before.id if before else next(new_ids),
            record_id=addition.record_id,
            filename=addition.filename,
            last_version=number,
            version=number,
            sha256=addition.sha256,
            description=addition.description
            or (before.description if before else None),
        )
        if before is not None:
            held.pop((before.record_id, before.sha256), None)
        named[after.record_id, after.filename] = held[after.record_id, after.sha256] = (
            after
        )
        steps.append(Step(addition, after, before, added=True))
    return steps


def checked_filename(name: str) -> str:
    """A file name as it is kept, without the folders before it.

    :raises VaultFault: INVALID_DATA when it is none.
    """
    plain = name.replace("\\", "/").rpartition("/")[2].strip()
    if plain in ("", ".", "..") or not plain.isprintable() or len(plain) > MAX_FILENAME:
        raise VaultFault(
            ErrorType.INVALID_DATA,
            f"A file's name has 1 to {MAX_FILENAME} printable characters",
        )
    return plain


def checked_text(name: str, value: object, max_length: int) -> str | None:
    """A description or external id, None for an empty one; raises VaultFault ``INVALID_DATA``."""
    text = "" if value is None else str(value)
    if len(text) > max_length or "\x00" in text:
        raise VaultFault(
            ErrorType.INVALID_DATA, f"[{name}] has at most {max_length} characters"
        )
    return text or None
