"""Reads a Vault, and notes writes instead of carrying them out, compared with the stored records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import assert_never

from services.connector.points.evaluation import query_all
from services.connector.rules.object_metadata import (
    DOCUMENTS,
    FieldType,
    ObjectMetadata,
)
from services.connector.rules.query_plan import whole_text
from services.connector.rules.rows import statements
from services.connector.vaults.record_access import RecordReads
from shared.client.results import (
    LINEAGE,
    SOURCE_MODIFIED,
    ApiError,
    QueryResult,
    Row,
    RowResult,
)
from shared.protocol.error_types import ErrorType

_BOOKKEEPING = frozenset({SOURCE_MODIFIED, LINEAGE, "id"})


class WriteEvent(StrEnum):
    """The effect that a write would have on its record; a value of the previews' JSON."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Write:
    """One row that would be written: ``id`` is None for a new record; ``changes`` are stored and new value by field.

    ``item`` is the source record in the row's lineage, or None. ``newer`` is True when the stored record has a later
    source state than the row.
    """

    vault_id: int
    written: str
    id: str | None
    event: WriteEvent
    changes: Mapping[str, tuple[object, object]]
    item: str | None = None
    newer: bool = False

    def to_json(self) -> dict[str, object]:
        """Return the write as JSON."""
        changes = {
            name: {"stored": stored, "new": new}
            for name, (stored, new) in self.changes.items()
        }
        return {
            "vault_id": self.vault_id,
            "object": self.written,
            "id": self.id,
            "event": self.event,
            "changes": changes,
        }


class PlannedWrites:
    """A RecordAccess that reads a Vault and only notes its writes, in order.

    The Vault's own checks, such as for a required field without a value, are not made. New records get
    invented ids. ``absent`` are the source records of updates whose record does not exist.
    """

    def __init__(
        self,
        vault: RecordReads,
        objects: Mapping[str, ObjectMetadata],
    ) -> None:
        """Take the Vault to read, and the metadata of its objects by name."""
        self._vault = vault
        self._objects = objects
        self._made: dict[tuple[str, str, str], str] = {}
        self.writes: list[Write] = []
        self.absent: set[str] = set()

    @property
    def vault_id(self) -> int:
        """Return the Vault's id."""
        return self._vault.vault_id

    async def query(self, vql: str, *, describe: bool = False) -> QueryResult:
        """Run a query; planned writes do not show in it."""
        return await self._vault.query(vql, describe=describe)

    async def update(
        self,
        object: str,
        rows: Sequence[Mapping[str, object]],
        id_param: str | None = None,
        *,
        lineage: str | None = None,
        unchanged: bool = False,
    ) -> list[RowResult]:
        """Note an update of each row's record; the result of a record that does not exist is an error."""
        del (
            lineage,
            unchanged,
        )  # nothing is written, so there is nothing to trace, and nobody to overtake
        key = id_param or "id"
        return await self._note(object, rows, key, make=False)

    async def upsert(
        self,
        object: str,
        rows: Sequence[Mapping[str, object]],
        id_param: str,
        *,
        lineage: str | None = None,
    ) -> list[RowResult]:
        """Note an update of each row's record, or a new record."""
        del lineage
        return await self._note(object, rows, id_param, make=True)

    async def create(
        self,
        object: str,
        rows: Sequence[Mapping[str, object]],
        *,
        lineage: str | None = None,
    ) -> list[RowResult]:
        """Note a new record for each row."""
        del lineage
        return [self._note_new(object, row) for row in rows]

    async def create_documents(
        self,
        rows: Sequence[Mapping[str, object]],
        id_param: str,
    ) -> list[RowResult]:
        """Note a new document for each row."""
        del (
            id_param
        )  # the caller has searched for documents with these keys and found none
        return [self._note_new(DOCUMENTS, row) for row in rows]

    async def update_documents(
        self,
        rows: Sequence[Mapping[str, object]],
    ) -> list[RowResult]:
        """Note a change of each row's document."""
        return await self._note(DOCUMENTS, rows, "id", make=False)

    def _note_new(self, object: str, row: Mapping[str, object]) -> RowResult:
        changes = {name: (None, value) for name, value in row.items()}
        write = Write(
            self.vault_id,
            object,
            None,
            WriteEvent.CREATED,
            changes,
        )
        self.writes.append(write)
        return RowResult(ok=True, id=f"new_{len(self.writes)}")

    async def _note(
        self,
        object: str,
        rows: Sequence[Mapping[str, object]],
        key: str,
        *,
        make: bool,
    ) -> list[RowResult]:
        stored = await self._stored(object, rows, key)
        results: list[RowResult] = []
        for row in rows:
            place = (object, key, str(row[key]))
            record = stored.get(place[-1])
            is_known = record is not None or place in self._made
            if is_known or make:
                results.append(self._note_row(place, row, record))
            else:
                self.absent.update(filter(None, [_item(row)]))
                message = f"there is no such {object} record"
                error = ApiError(ErrorType.INVALID_DATA, message)
                results.append(RowResult(ok=False, errors=(error,)))
        return results

    def _note_row(
        self,
        place: tuple[str, str, str],
        row: Mapping[str, object],
        stored: Row | None,
    ) -> RowResult:
        """Note the write of a row to the record at ``place``: its object, key field and key value."""
        object_name = place[0]
        changes = self._changes(object_name, row, stored or {})
        record: str | None
        if stored is not None:
            event = WriteEvent.UPDATED if changes else WriteEvent.UNCHANGED
            result = record = str(stored["id"])
        else:
            # A record that an earlier row has made is updated, though nothing of it is stored.
            event = WriteEvent.UPDATED if place in self._made else WriteEvent.CREATED
            result = self._made.setdefault(place, f"new_{len(self._made) + 1}")
            record = None
        newer = _is_newer(stored or {}, row)
        item = _item(row)
        write = Write(self.vault_id, object_name, record, event, changes, item, newer)
        self.writes.append(write)
        return RowResult(ok=True, id=result)

    def _changes(
        self,
        object_name: str,
        row: Mapping[str, object],
        stored: Row,
    ) -> dict[str, tuple[object, object]]:
        """Return stored and new value of each field of a row that has another value than is stored."""
        metadata = self._objects.get(object_name)
        changes: dict[str, tuple[object, object]] = {}
        for name, value in row.items():
            # The source's date and the lineage belong to the connector's own bookkeeping and are no values of a record.
            if name in _BOOKKEEPING:
                continue
            before = stored.get(column(name))
            # What is the same as it stands is so in any type, and is nearly all.
            if before != value and not _same(before, value, metadata, name):
                changes[name] = (before, value)
        return changes

    async def _stored(
        self,
        object: str,
        rows: Iterable[Mapping[str, object]],
        key: str,
    ) -> dict[str, Row]:
        """Return the stored values of the fields in the rows, by key value."""
        names = dict.fromkeys(name for row in rows for name in row)
        metadata = self._objects.get(object)
        columns = ["id"]
        if key != "id":
            columns.append(key)
        unread = (*_BOOKKEEPING, key)
        fields = [name for name in names if name not in unread]
        if SOURCE_MODIFIED in names:
            columns.append(SOURCE_MODIFIED)
        columns.extend(_selected(name, metadata) for name in fields)
        head = f"SELECT {', '.join(columns)} FROM {object}"  # noqa: S608  VQL of names
        keys = dict.fromkeys(str(row[key]) for row in rows)
        texts = statements(head, key, keys)
        found = await query_all(self._vault, texts)
        return {str(record[key]): record for record in found}


def _item(row: Mapping[str, object]) -> str | None:
    """Return the source record in a row's lineage; None for a row without lineage."""
    lineage = row.get(LINEAGE)
    # Number of its origin in the call, message id, source record: a comparison has each item as a message of its own.
    return str(lineage[1]) if isinstance(lineage, list) else None


def _is_newer(stored: Row, row: Mapping[str, object]) -> bool:
    """Return whether a stored record is of a later state of its source than a row."""
    before, now = stored.get(SOURCE_MODIFIED), row.get(SOURCE_MODIFIED)
    if not isinstance(before, str) or not isinstance(now, str):
        return False
    # Moments of one format compare as texts.
    return before > now


@lru_cache(maxsize=4096)
def column(name: str) -> str:
    """Return the name in a query's answer for the field ``name`` of a row to be written.

    A reference by key, ``product__v.external_id__v``, is the path ``product__vr.external_id__v`` there.
    """
    reference, dot, rest = name.partition(".")
    if not dot or reference.endswith("r"):
        return name
    return f"{reference}r.{rest}"


def _type(metadata: ObjectMetadata | None, name: str) -> FieldType | None:
    """Return the type of a field; None where it is not known, as for a reference by key."""
    if metadata is None:
        return None
    field = metadata.fields.get(name)
    if field is None:
        return None
    return field.type


def _selected(name: str, metadata: ObjectMetadata | None) -> str:
    """Return the expression that selects all of a field's value."""
    field_type = _type(metadata, name)
    function = whole_text(field_type) if field_type else None
    if function is None:
        return column(name)
    return f"{function}({name})"


def _same(
    stored: object,
    value: object,
    metadata: ObjectMetadata | None,
    name: str,
) -> bool:
    match _type(metadata, name):
        # Two texts of one moment may differ, for example in their fractions of a second.
        case FieldType.DATE_TIME:
            return _moment(stored) == _moment(value)
        case (
            FieldType.ID
            | FieldType.STRING
            | FieldType.LONG_TEXT
            | FieldType.RICH_TEXT
            | FieldType.NUMBER
            | FieldType.BOOLEAN
            | FieldType.DATE
            | FieldType.PICKLIST
            | FieldType.OBJECT
            | FieldType.ATTACHMENT
            | FieldType.OTHER
            | None
        ):
            return _plain(stored) == _plain(value)
        case other:
            assert_never(other)


def _moment(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return value


def _plain(value: object) -> object:
    """Return a value in a form that can be compared: lists sorted or as their only value, empty values as None."""
    if value == "":
        return None
    if not isinstance(value, list):
        return value
    if len(value) == 1:
        return str(value[0])
    # An empty list is no value, as an empty text is.
    return sorted(map(str, value)) or None
