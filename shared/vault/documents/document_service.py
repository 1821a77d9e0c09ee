"""Documents: created, changed, given new versions and states, deleted; each in one transaction, with its audit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation, require
from shared.vault.audit import audit_entries as entries
from shared.vault.components.document_model import DOCUMENT_ID, STEADY, SUPERSEDED
from shared.vault.documents import document_store as store
from shared.vault.documents.document_store import Place, SourceFile, keep_file
from shared.vault.documents.versions import (
    CHOSEN,
    LEVELS,
    LIFECYCLE,
    Number,
    document_number,
    first_number,
    lifecycle_of,
    type_of,
    version_id,
)
from shared.vault.errors import VaultFault
from shared.vault.model.component_model import VaultObject
from shared.vault.queries.document_target import DOCUMENTS, SOURCE_FILE
from shared.vault.records.deletions import note_deletions
from shared.vault.records.named_actions import ActionContext, RowsRefused
from shared.vault.records.rows import UPDATED, RowResult
from shared.vault.storage.database import moment

if TYPE_CHECKING:
    from datetime import datetime

    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.model.component_model import (
        DocumentModel,
        DocumentType,
        Lifecycle,
        LifecycleState,
        UserAction,
    )
    from shared.vault.records.record_service import RecordService
    from shared.vault.records.rows import ResolvedRow
    from shared.vault.storage.database import Connection, Database

T = TypeVar("T")

STEP = timedelta(milliseconds=1)  # the API's resolution
NOT_COPIED = frozenset({"id", "global_version_id__sys", "version_link__sys"})


@dataclass(frozen=True, slots=True)
class Begun:
    """How a new document begins: its type and lifecycle, and the number of its first version."""

    kind: DocumentType
    lifecycle: Lifecycle
    number: Number


class DocumentService:
    """The document calls of the API; what a row of fields is refused for is in the result, all else is raised."""

    def __init__(
        self,
        database: Database,
        components: ComponentService,
        records: RecordService,
        vault_id: int,
    ) -> None:
        self._database = database
        self._components = components
        self._records = records
        self._vault_id = vault_id

    def model(
        self, caller: Caller, operation: Operation
    ) -> tuple[DocumentModel, VaultObject]:
        """What documents are like; raises VaultFault for who may not do this with them, and where there are none."""
        require(caller, DOCUMENTS, operation)
        model = self._components.registry.documents
        if model.versions is None:
            raise VaultFault(
                ErrorType.OPERATION_NOT_ALLOWED, "This Vault has no document types"
            )
        return model, model.versions

    async def create(
        self, caller: Caller, fields: Mapping[str, str], file: SourceFile | None
    ) -> RowResult:
        """A document in its first version; its result has the document's id."""

        async def work(connection: Connection) -> list[RowResult]:
            model, versions = self.model(caller, Operation.CREATE)
            kind = type_of(model, fields)
            lifecycle = lifecycle_of(model, kind, fields.get(LIFECYCLE))
            number = first_number(fields)
            own = {name: value for name, value in fields.items() if name not in CHOSEN}
            row = await self._read(connection, caller, versions, own)
            require_fields(versions, row)
            if row.errors:
                return [row.refused().result()]
            document_id = await connection.fetchval(store.NEXT_ID)
            now = await moment(connection)
            first = self.first_version(
                caller, document_id, Begun(kind, lifecycle, number), row.values, now
            )
            await store.insert(connection, versions, [first])
            if file is not None:
                await keep_file(
                    connection, version_id(document_id, number), SOURCE_FILE, file
                )
            await entries.document_changed(
                connection, caller, entries.CREATE, document_id
            )
            return [RowResult(id=str(document_id))]

        return (await self._records.carry_out(work))[0]

    async def new_version(
        self, caller: Caller, document_id: int, file: SourceFile | None
    ) -> Number:
        """A draft after the latest version, with a file of its own or that of the latest; its number."""

        async def work(connection: Connection) -> Number:
            await self._components.hold(connection)
            model, versions = self.model(caller, Operation.EDIT)
            before = await store.locked(connection, versions, Place(document_id))
            number = Number.of(before).draft_after()
            lifecycle = model.lifecycles[before[LIFECYCLE]]
            values = {
                name: before[name]
                for name in versions.fields
                if name in before and name not in NOT_COPIED
            }
            await connection.execute(store.NOT_LATEST, document_id)
            following = self._version(
                caller, lifecycle, values, number, await moment(connection)
            )
            await store.insert(connection, versions, [following])
            version = version_id(document_id, number)
            if file is None:
                await connection.execute(store.COPY_FILE, before["id"], version)
            else:
                await keep_file(connection, version, SOURCE_FILE, file)
            after = [("version", str(Number.of(before)), str(number))]
            await entries.document_changed(
                connection, caller, entries.EDIT, document_id, after
            )
            return number

        return await self._database.unit_of_work(work)

    async def update(
        self, caller: Caller, place: Place, fields: Mapping[str, str]
    ) -> RowResult:
        """Change fields of a version, the latest where none is named."""

        async def work(connection: Connection) -> list[RowResult]:
            _, versions = self.model(caller, Operation.EDIT)
            row = await self._read(connection, caller, versions, fields)
            before = await store.locked(connection, versions, place)
            record_id = str(place.document_id)
            if row.errors:
                return [row.refused(record_id).result()]
            await self.change(connection, caller, versions, [(before, row.values)])
            return [RowResult(id=record_id, event=UPDATED)]

        return (await self._records.carry_out(work))[0]

    async def delete(self, caller: Caller, place: Place) -> None:
        """Delete a document, or one of several versions of it."""

        async def work(connection: Connection) -> None:
            await self._components.hold(connection)
            _, versions = self.model(caller, Operation.DELETE)
            found = await store.locked(connection, versions, place)
            ids = [
                row["id"]
                for row in await connection.fetch(store.IDS, place.document_id)
            ]
            lines: Sequence[tuple[str, object, object]] = ()
            if place.number is None:
                gone = str(place.document_id)
            elif len(ids) == 1:
                raise VaultFault(
                    ErrorType.OPERATION_NOT_ALLOWED,
                    "The only version of a document goes with it",
                )
            else:
                gone, ids, lines = (
                    found["id"],
                    [found["id"]],
                    [("version", str(place.number), None)],
                )
            await note_deletions(connection, {DOCUMENTS: [gone]})
            await connection.execute(store.DELETE_FILES, ids)
            await connection.execute(store.DELETE, ids)
            await connection.execute(store.MAKE_LATEST, place.document_id)
            await entries.document_changed(
                connection, caller, entries.DELETE, place.document_id, lines
            )

        await self._database.unit_of_work(work)

    async def state(
        self, caller: Caller, place: Place
    ) -> tuple[Lifecycle, LifecycleState]:
        """In which state of which lifecycle a version is."""
        model, versions = self.model(caller, Operation.READ)
        async with self._database.transaction() as connection:
            return _state(model, await store.locked(connection, versions, place))

    async def run_action(self, caller: Caller, place: Place, action_name: str) -> None:
        """Run a user action of a version's state.

        A draft that becomes steady is the next major version, and supersedes those that were steady before.

        :raises VaultFault: INSUFFICIENT_ACCESS when the state does not offer the action.
        """

        async def work(connection: Connection) -> None:
            await self._components.hold(connection)
            model, versions = self.model(caller, Operation.EDIT)
            before = await store.locked(connection, versions, place)
            lifecycle, state = _state(model, before)
            action = offered(state, action_name)
            following = lifecycle.states[action.next_state or ""]
            await self.change(
                connection, caller, versions, [(before, {"status__v": following.name})]
            )
            if following.state_type == STEADY and state.state_type != STEADY:
                await self._make_steady(
                    connection, caller, lifecycle, before, following
                )
            await self._enter(connection, caller, following, place.document_id)

        await self._database.unit_of_work(work)

    async def _enter(
        self,
        connection: Connection,
        caller: Caller,
        state: LifecycleState,
        document_id: int,
    ) -> None:
        """Run the entry actions of the state that a document has come into; one that refuses it refuses the whole."""
        documents = VaultObject(DOCUMENTS, "Document", "Documents", "")
        registry = self._components.registry
        ids = (str(document_id),)
        context = ActionContext(
            connection, caller, registry, documents, ids, self._records
        )
        try:
            await self._records.actions.run_entry_actions(context, state)
        except RowsRefused as refusal:
            error = next(iter(refusal.errors.values()))
            raise VaultFault(error.type, error.message) from refusal

    async def _make_steady(
        self,
        connection: Connection,
        caller: Caller,
        lifecycle: Lifecycle,
        before: Record,
        steady: LifecycleState,
    ) -> None:
        """Give a version that became steady its number, and supersede those that were."""
        document_id, number = before[DOCUMENT_ID], Number.of(before)
        version = before["id"]
        lines: list[tuple[str, object, object]] = []
        if number.minor:
            latest = await store.latest_major(connection, document_id)
            number = Number(latest, 0).steady_after()
            version = version_id(document_id, number)
            named = (version, f"{self._vault_id}_{version}", number.major, number.minor)
            await connection.execute(store.RENUMBER, before["id"], *named)
            await connection.execute(store.RENUMBER_FILES, before["id"], version)
            await connection.execute(store.NOT_LATEST, document_id)
            await connection.execute(store.MAKE_LATEST, document_id)
            lines.append(("version", str(Number.of(before)), str(number)))
        superseded = [
            state.name
            for state in lifecycle.states.values()
            if state.state_type == SUPERSEDED
        ]
        if superseded:
            states = [
                s.name for s in lifecycle.states.values() if s.state_type == STEADY
            ]
            arguments = (document_id, lifecycle.name, superseded[0], states, version)
            gone = await connection.fetch(store.IN_STATE, *arguments)
            lines += [("status__v", steady.name, superseded[0]) for _ in gone]
        await entries.document_changed(
            connection, caller, entries.EDIT, document_id, lines
        )

    def first_version(
        self,
        caller: Caller,
        document_id: int,
        begun: Begun,
        fields: Mapping[str, object],
        now: datetime,
    ) -> dict[str, object]:
        """All that is stored of a new document with these fields."""
        values = {
            **fields,
            DOCUMENT_ID: document_id,
            "global_id__sys": f"{self._vault_id}_{document_id}",
            "document_number__v": document_number(begun.kind, document_id),
            **dict(zip(LEVELS, begun.kind.path, strict=False)),
            LIFECYCLE: begun.lifecycle.name,
            "document_creation_date__v": now,
            "created_by__v": caller.user_id,
        }
        return self._version(caller, begun.lifecycle, values, begun.number, now)

    def _version(
        self,
        caller: Caller,
        lifecycle: Lifecycle,
        values: Mapping[str, object],
        number: Number,
        now: datetime,
    ) -> dict[str, object]:
        """All that is stored of a version that is the latest from now on, in the state in which drafts begin."""
        document_id = int(str(values[DOCUMENT_ID]))
        version = version_id(document_id, number)
        return {
            **values,
            "id": version,
            "latest_version__sys": True,
            "global_version_id__sys": f"{self._vault_id}_{version}",
            **number.fields,
            "status__v": lifecycle.starting_state,
            "version_creation_date__v": now,
            "last_modified_by__v": caller.user_id,
            "version_modified_date__v": now,
        }

    async def with_connection(self, ask: Callable[[Connection], Awaitable[T]]) -> T:
        """What is asked of the database outside any change."""
        async with self._database.connection() as connection:
            return await ask(connection)

    async def change(
        self,
        connection: Connection,
        caller: Caller,
        versions: VaultObject,
        changes: Sequence[tuple[Record, Mapping[str, object]]],
    ) -> None:
        """Store what is different in versions that are held, and who made it so."""
        now = await moment(connection)
        alike: dict[frozenset[str], dict[str, Mapping[str, object]]] = {}
        lines: dict[int, list[tuple[str, object, object]]] = {}
        for before, values in changes:
            different = {
                name: value for name, value in values.items() if before[name] != value
            }
            if different:
                # Of two states of a version the later one has the later date, also within a millisecond.
                dated = max(now, before["version_modified_date__v"] + STEP)
                stamp = {
                    "last_modified_by__v": caller.user_id,
                    "version_modified_date__v": dated,
                }
                alike.setdefault(frozenset(different), {})[before["id"]] = {
                    **different,
                    **stamp,
                }
                lines[before[DOCUMENT_ID]] = [
                    (name, before[name], value) for name, value in different.items()
                ]
        for rows in alike.values():
            await store.update(connection, versions, rows)
        await entries.documents_changed(connection, caller, entries.EDIT, lines)

    async def _read(
        self,
        connection: Connection,
        caller: Caller,
        versions: VaultObject,
        fields: Mapping[str, str],
    ) -> ResolvedRow:
        """The fields of a call as column values; what is wrong with them is in the row."""
        read = self._records.reader(versions).read([fields])
        batch = self._records.batch(connection, caller, versions)
        (row,) = await batch.resolve(read)
        return row


def offered(state: LifecycleState, action_name: str) -> UserAction:
    """The user action of a state by its name; raises VaultFault INSUFFICIENT_ACCESS when the state has none."""
    for action in state.user_actions:
        if action.name == action_name:
            return action
    message = (
        f"The document offers no lifecycle action [{action_name[:100]}] in its state"
    )
    raise VaultFault(ErrorType.INSUFFICIENT_ACCESS, message)


def _state(model: DocumentModel, version: Record) -> tuple[Lifecycle, LifecycleState]:
    lifecycle = model.lifecycles[version[LIFECYCLE]]
    return lifecycle, lifecycle.states[version["status__v"]]


def require_fields(versions: VaultObject, row: ResolvedRow) -> None:
    """Fail a row of a new document that lacks a required field."""
    for field in versions.fields.values():
        given = row.values.get(field.name) is not None
        if (
            field.required
            and field.active
            and not field.system
            and not given
            and not row.errors
        ):
            row.fail(
                ErrorType.PARAMETER_REQUIRED,
                f"Missing required parameter [{field.name}]",
            )
