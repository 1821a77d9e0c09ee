"""A Vault that is read as it is and not written: what would be is noted, and held against what is stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.connector.points.evaluation import query_all
from services.connector.rules.object_metadata import DOCUMENTS, ObjectMetadata
from services.connector.rules.vql_text import statements
from services.connector.vaults.record_access import RecordAccess
from shared.client.results import SOURCE_MODIFIED, ApiError, QueryResult, Row, RowResult
from shared.protocol.error_types import ErrorType

CREATED, UPDATED, UNCHANGED = "created", "updated", "unchanged"
_IN_FULL = {"LongText": "LONGTEXT", "RichText": "RICHTEXT"}


@dataclass(frozen=True, slots=True)
class Write:
    """One row that would be written: ``id`` is None for a new record; ``changes`` are stored and new value by field."""

    vault_id: int
    written: str
    id: str | None
    event: str
    changes: Mapping[str, tuple[object, object]]

    def answer(self) -> dict[str, object]:
        """As JSON."""
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


class NotedWrites:
    """A RecordAccess that reads a Vault and only notes its writes, in order.

    What the Vault itself would refuse, such as a required field without a value, is not found out. A new record has
    an id of this object's own making.
    """

    def __init__(
        self, vault: RecordAccess, objects: Mapping[str, ObjectMetadata]
    ) -> None:
        """``objects`` are those that the Vault has described."""
        self._vault = vault
        self._objects = objects
        self._made: dict[tuple[str, str, str], str] = {}
        self.noted: list[Write] = []

    @property
    def vault_id(self) -> int:
        """The Vault's id."""
        return self._vault.vault_id

    async def query(self, vql: str, *, describe: bool = False) -> QueryResult:
        """Run a query; noted writes do not show in it."""
        return await self._vault.query(vql, describe=describe)

    async def update(
        self,
        object: str,
        rows: Sequence[Mapping[str, object]],
        id_param: str | None = None,
        *,
        lineage: str | None = None,
    ) -> list[RowResult]:
        """Note an update of each row's record; one that does not exist is an error."""
        del lineage  # nothing is written
        return await self._note(object, rows, id_param or "id", make=False)

    async def upsert(
        self,
        object: str,
        rows: Sequence[Mapping[str, object]],
        id_param: str,
        *,
        lineage: str | None = None,
    ) -> list[RowResult]:
        """Note an update of each row's record, or a new one."""
        del lineage
        return await self._note(object, rows, id_param, make=True)

    async def create_documents(
        self, rows: Sequence[Mapping[str, object]], id_param: str
    ) -> list[RowResult]:
        """Note a new document for each row."""
        del id_param  # whoever asks has looked for it
        made = []
        for row in rows:
            changes: dict[str, tuple[object, object]] = {
                name: (None, value) for name, value in row.items()
            }
            self.noted.append(Write(self.vault_id, DOCUMENTS, None, CREATED, changes))
            made.append(RowResult(ok=True, id=f"new_{len(self.noted)}"))
        return made

    async def update_documents(
        self, rows: Sequence[Mapping[str, object]]
    ) -> list[RowResult]:
        """Note a change of each row's document."""
        return await self._note(DOCUMENTS, rows, "id", make=False)

    async def _note(
        self, object: str, rows: Sequence[Mapping[str, object]], key: str, *, make: bool
    ) -> list[RowResult]:
        stored = await self._stored(object, rows, key)
        return [
            self._noted(object, row, key, stored.get(str(row[key])), make=make)
            for row in rows
        ]

    def _noted(
        self,
        object: str,
        row: Mapping[str, object],
        key: str,
        stored: Row | None,
        *,
        make: bool,
    ) -> RowResult:
        place = (object, key, str(row[key]))
        if stored is None and place not in self._made and not make:
            return RowResult(
                ok=False,
                errors=(
                    ApiError(
                        ErrorType.INVALID_DATA, f"there is no such {object} record"
                    ),
                ),
            )
        known = stored or {}
        described = self._objects.get(object)
        changes = {
            name: (known.get(column(name)), value)
            for name, value in row.items()
            if name not in (SOURCE_MODIFIED, "id")
            and not _same(known.get(column(name)), value, described, name)
        }
        if stored is not None:
            record, event = str(stored["id"]), UPDATED if changes else UNCHANGED
        else:
            event = UPDATED if place in self._made else CREATED
            record = self._made.setdefault(place, f"new_{len(self._made) + 1}")
        self.noted.append(
            Write(
                self.vault_id,
                object,
                None if stored is None else record,
                event,
                changes,
            )
        )
        return RowResult(ok=True, id=record)

    async def _stored(
        self, object: str, rows: Iterable[Mapping[str, object]], key: str
    ) -> dict[str, Row]:
        """What is stored now of the fields that the rows have, by key value."""
        names = dict.fromkeys(
            name
            for row in rows
            for name in row
            if name not in (SOURCE_MODIFIED, "id", key)
        )
        described = self._objects.get(object)
        columns = [
            "id",
            *({key} - {"id"}),
            *(_selected(name, described) for name in names),
        ]
        head = f"SELECT {', '.join(columns)} FROM {object}"  # noqa: S608  VQL of names
        texts = statements(head, key, dict.fromkeys(str(row[key]) for row in rows))
        return {str(row[key]): row for row in await query_all(self._vault, texts)}


def column(name: str) -> str:
    """The name in an answer of what is called ``name`` in a row to be written: a reference by key is a path there."""
    reference, dot, rest = name.partition(".")
    if not dot or reference.endswith("r"):
        return name
    return f"{reference}r.{rest}"


def _selected(name: str, described: ObjectMetadata | None) -> str:
    field = described.fields.get(name) if described else None
    function = _IN_FULL.get(field.type) if field else None
    return f"{function}({name})" if function else column(name)


def _same(
    stored: object, value: object, described: ObjectMetadata | None, name: str
) -> bool:
    field = described.fields.get(name) if described else None
    if field is not None and field.type == "DateTime":
        return _moment(stored) == _moment(value)
    return _plain(stored) == _plain(value)


def _moment(value: object) -> object:
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _plain(value: object) -> object:
    """A value as it compares: picklists by their values in any order, a single one like its text."""
    if isinstance(value, list):
        return str(value[0]) if len(value) == 1 else sorted(map(str, value)) or None
    return None if value == "" else value
