"""A Vault's records in memory, for the connector's reads and writes: RecordAccess without a Vault."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from shared.client.errors import QueryTimeout, VaultRefused
from shared.client.results import (
    SOURCE_MODIFIED,
    UNCHANGED,
    ApiError,
    QueryResult,
    RowResult,
)
from shared.protocol.error_types import ErrorType
from shared.spark.envelope import format_moment
from shared.vault import vql
from shared.vault.components.registry import Registry
from shared.vault.model.component_model import VaultObject
from tests.unit.connector.memory_queries import Record, answer, described, object_of
from tests.unit.connector.memory_rows import (
    TYPE,
    Row,
    RowRefused,
    by_key,
    require_all,
    row_values,
    without_stored,
)

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
DOCUMENTS = "documents"
CREATED, UPDATED = "created__sys", "updated__sys"

Hook = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Written:
    """One row of one call: the call, the object, and the result."""

    call: str
    object: str
    row: Row
    result: RowResult
    lineage: Row | None = None


@dataclass(slots=True)
class _RowFault:
    object: str
    values: Row
    error: ApiError
    times: int


@dataclass(repr=False, eq=False)
class MemoryVault:
    """The records of one Vault, with refusals on demand; its clock advances by a second with each change.

    ``written`` lists every row of every call, and ``asked`` every query.
    """

    vault_id: int
    registry: Registry
    written: list[Written] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def __repr__(self) -> str:
        # The registry would fill the screen wherever a test fails.
        return f"Vault {self.vault_id}"

    def __post_init__(self) -> None:
        self._records: dict[str, dict[str, Record]] = {}
        self._numbers: Counter[str] = Counter()
        self._now = BEGINNING
        self._row_faults: list[_RowFault] = []
        self._call_faults: dict[str, list[Exception]] = {}
        self._hooks: dict[str, list[Hook]] = {}
        self._poisons: list[tuple[str, str, Exception]] = []
        self._most_named: dict[str, int] = {}

    # What a test says of the Vault.

    def add(self, object_name: str, /, **values: object) -> str:
        """Store a record with the fields that the Vault itself adds, and return its id."""
        return str(self._create(object_of(self.registry, object_name), values)["id"])

    def change(self, object_name: str, record: str, /, **values: object) -> None:
        """Change a record as a user of this Vault does."""
        self._records[object_name][record].update(values)
        self._touch(object_name, record)

    def remove(self, object_name: str, record: str) -> None:
        """Delete a record."""
        del self._records[object_name][record]

    def get(self, object_name: str, record: str) -> Record:
        """A record by id."""
        return self._records[object_name][record]

    def rows(self, object_name: str, *names: str) -> list[Record]:
        """The records of an object in order of creation, with these fields or all of them."""
        rows = self._records.get(object_name, {}).values()
        return [{name: row.get(name) for name in names or row} for row in rows]

    def refuse_rows(
        self,
        object_name: str,
        error: str = ErrorType.INVALID_DATA,
        times: int = 1_000,
        message: str = "",
        **values: object,
    ) -> None:
        """Refuse rows that have these values, ``times`` times."""
        said = message or f"[name__v=a secret] is no {object_name}"
        fault = ApiError(error, said)
        self._row_faults.append(_RowFault(object_name, values, fault, times))

    def fail_calls(self, call: str, *errors: Exception) -> None:
        """Raise these errors, one a call, before the next calls of this name do anything."""
        self._call_faults.setdefault(call, []).extend(errors)

    def poison(self, object_name: str, text: str, error: Exception) -> None:
        """Fail every call as a whole that writes a row of this object containing a text."""
        self._poisons.append((object_name, text, error))

    def stop_queries(self, object_name: str, most: int) -> None:
        """Stop every query of an object with more than ``most`` values, as one that takes too long."""
        self._most_named[object_name] = most

    def before(self, call: str, hook: Hook) -> None:
        """Let something happen before the next call of this name: another connector at work."""
        self._hooks.setdefault(call, []).append(hook)

    # What the VQL evaluation reads.

    def all_of(self, object_name: str) -> Iterable[Record]:
        """All records of an object."""
        return list(self._records.get(object_name, {}).values())

    def one_of(self, object_name: str, record: str) -> Record | None:
        """A record by id; None when there is none."""
        return self._records.get(object_name, {}).get(record)

    def queries_of(self, object_name: str) -> int:
        """The number of queries of an object, including refused ones."""
        return sum(f" FROM {object_name} " in text for text in self.asked)

    # RecordAccess.

    async def query(self, vql_text: str, *, describe: bool = False) -> QueryResult:
        """Run a query."""
        await self._begin("query")
        self.asked.append(vql_text)
        try:
            statement = vql.parse(vql_text)
            block = described(self.registry, statement)
            await self._begin(f"query {statement.select.source}")
        except vql.VqlError as error:
            raise VaultRefused(error.type, error.message) from error
        most = self._most_named.get(statement.select.source)
        if most is not None and vql_text.count("'") > 2 * most:
            raise QueryTimeout(ErrorType.OPERATION_NOT_ALLOWED, "[query timeout]")
        rows = answer(self, statement.select)
        return QueryResult(rows, block if describe else None)

    async def update(
        self,
        object: str,
        rows: Sequence[Row],
        id_param: str | None = None,
        *,
        lineage: str | None = None,
        unchanged: bool = False,
    ) -> list[RowResult]:
        """Update records by id, or by a unique field."""
        await self._begin("update", object)
        key = id_param or "id"

        def write(owner: VaultObject, row: Row) -> RowResult:
            known = by_key(self, owner, key, row[key])
            if known is None:
                raise RowRefused(f"No record has this [{key}]")
            named = without_stored(owner, row, known) if unchanged else row
            return self._update(owner, known, named, key)

        return self._write("update", object, rows, write, lineage)

    async def upsert(
        self,
        object: str,
        rows: Sequence[Row],
        id_param: str,
        *,
        lineage: str | None = None,
    ) -> list[RowResult]:
        """Create or update records by a unique field."""
        await self._begin("upsert", object)
        keys = [row.get(id_param) for row in rows]
        if len(set(keys)) < len(keys):
            raise VaultRefused(
                ErrorType.INVALID_DATA, f"[{id_param}] is repeated in this call"
            )

        def write(owner: VaultObject, row: Row) -> RowResult:
            known = by_key(self, owner, id_param, row[id_param])
            if known is not None:
                return self._update(owner, known, row, id_param)
            return self._created(owner, row)

        return self._write("upsert", object, rows, write, lineage)

    async def create(
        self, object: str, rows: Sequence[Row], *, lineage: str | None = None
    ) -> list[RowResult]:
        """Create records."""
        await self._begin("create", object)
        return self._write("create", object, rows, self._created, lineage)

    async def create_documents(
        self, rows: Sequence[Row], id_param: str
    ) -> list[RowResult]:
        """Create documents without files."""
        await self._begin("create_documents")

        def write(owner: VaultObject, row: Row) -> RowResult:
            if by_key(self, owner, id_param, row[id_param]) is not None:
                text = f"A document has this [{id_param}] already"
                raise RowRefused(text, ErrorType.ITEM_NAME_EXISTS)
            return self._created(owner, row)

        return self._write("create_documents", DOCUMENTS, rows, write, None)

    async def update_documents(self, rows: Sequence[Row]) -> list[RowResult]:
        """Change documents by id."""
        await self._begin("update_documents")

        def write(owner: VaultObject, row: Row) -> RowResult:
            known = by_key(self, owner, "id", row["id"])
            if known is None:
                raise RowRefused("No document has this [id]")
            return self._update(owner, known, row, "id")

        return self._write("update_documents", DOCUMENTS, rows, write, None)

    # How rows are taken.

    async def _begin(self, call: str, *names: str) -> None:
        for name in (call, *(f"{call} {each}" for each in names)):
            for hook in self._hooks.pop(name, []):
                await hook()
            faults = self._call_faults.get(name)
            if faults:
                raise faults.pop(0)

    def _write(
        self,
        call: str,
        object_name: str,
        rows: Sequence[Row],
        write: Callable[[VaultObject, Row], RowResult],
        lineage: str | None,
    ) -> list[RowResult]:
        owner = object_of(self.registry, object_name)
        for poisoned, text, error in self._poisons:
            if poisoned == object_name and text in json.dumps(list(rows), default=str):
                raise error
        common = None if lineage is None else json.loads(lineage)
        results = []
        for row in rows:
            try:
                self._refuse(object_name, row)
                result = write(owner, row)
            except RowRefused as refused:
                result = RowResult(ok=False, errors=(refused.error,))
            self.written.append(Written(call, object_name, dict(row), result, common))
            results.append(result)
        return results

    def _refuse(self, object_name: str, row: Row) -> None:
        for fault in self._row_faults:
            fits = all(row.get(name) == value for name, value in fault.values.items())
            if fault.object == object_name and fits and fault.times:
                fault.times -= 1
                raise RowRefused(fault.error.message, fault.error.type)

    def _created(self, owner: VaultObject, row: Row) -> RowResult:
        values = dict(row_values(self, owner, row, None))
        require_all(owner, values)
        record = self._create(owner, values)
        return RowResult(ok=True, id=str(record["id"]), event=CREATED)

    def _update(
        self, owner: VaultObject, record: Record, row: Row, key: str
    ) -> RowResult:
        row = {name: value for name, value in row.items() if name not in ("id", key)}
        state = row.pop(SOURCE_MODIFIED, None)
        values = dict(row_values(self, owner, row, record))
        changes = {
            name: value for name, value in values.items() if record.get(name) != value
        }
        known = record.get(SOURCE_MODIFIED)
        identifier = str(record["id"])
        if state is not None and known is not None and str(state) <= str(known):
            if changes:
                return RowResult(ok=True, id=identifier, newer=str(known))
            state = format_moment(
                datetime.fromisoformat(str(known)) + timedelta(milliseconds=1)
            )
        if state is not None:
            record[SOURCE_MODIFIED] = state
        record.update(changes)
        if changes:
            self._touch(owner.name, identifier)
        event = UPDATED if changes else UNCHANGED
        return RowResult(ok=True, id=identifier, event=event)

    def _create(self, owner: VaultObject, values: Row) -> Record:
        self._numbers[owner.name] += 1
        number = self._numbers[owner.name]
        record: Record = {
            "id": f"{owner.prefix}{number:012d}",
            "status__v": "active__v",
        }
        if owner.name == DOCUMENTS:
            record = {
                "id": number,
                "status__v": "draft__v",
                "major_version_number__v": 0,
            }
            record |= {
                "minor_version_number__v": 1,
                "document_number__v": f"D-{number}",
            }
        record["global_id__sys"] = f"{self.vault_id}_{record['id']}"
        lifecycle = self.registry.lifecycles.get(owner.lifecycle or "")
        if lifecycle is not None:
            record["state__v"] = lifecycle.starting_state
        if owner.fields["name__v"].system_managed_name:
            record["name__v"] = f"{owner.label} {number}"
        if owner.default_type:
            record[TYPE] = owner.default_type
        record |= values
        self._records.setdefault(owner.name, {})[str(record["id"])] = record
        self._touch(owner.name, str(record["id"]))
        return record

    def _touch(self, object_name: str, record: str) -> None:
        self._now += timedelta(seconds=1)
        changed = (
            "version_modified_date__v"
            if object_name == DOCUMENTS
            else "modified_date__v"
        )
        self._records[object_name][record][changed] = format_moment(self._now)
