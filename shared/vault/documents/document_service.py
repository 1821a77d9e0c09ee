"""Carries out the document calls of the API, each in one transaction with its audit entries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from shared.protocol.error_types import ErrorType
from shared.protocol.json_values import next_moment
from shared.vault.access.permissions import Operation, require
from shared.vault.audit import audit_entries as entries
from shared.vault.components.document_model import DOCUMENT_ID, EXTERNAL_ID, VERSIONS
from shared.vault.documents import document_store as store
from shared.vault.documents import relationship_store as relationships
from shared.vault.documents.document_locks import check_in, require_unlocked
from shared.vault.documents.document_numbers import (
    NUMBER_EXISTS,
    require_migration,
    taken_numbers,
)
from shared.vault.documents.document_removal import remove_belongings
from shared.vault.documents.document_role_rules import fill_document_roles
from shared.vault.documents.document_states import (
    becomes_steady,
    make_steady,
    offered,
    state_of,
)
from shared.vault.documents.document_store import Place, SourceFile, store_file
from shared.vault.documents.unchanged_fields import without_unchanged
from shared.vault.documents.versions import (
    CHOSEN,
    LIFECYCLE,
    MIGRATED,
    NOT_COPIED,
    AuditLine,
    Number,
    Writing,
    beginning_of,
    first_version,
    latest_version,
    migrated_beginning,
    require_fields,
    version_id,
)
from shared.vault.errors import VaultFault
from shared.vault.model.component_model import VaultObject
from shared.vault.model.field_types import DOCUMENTS
from shared.vault.queries.document_target import SOURCE_FILE
from shared.vault.records.deletions import note_deletions
from shared.vault.records.named_actions import ActionContext, RowsRefused
from shared.vault.records.rows import UPDATED, ReadRow, RowResult
from shared.vault.storage.clock import moment

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.model.component_model import (
        DocumentModel,
        Lifecycle,
        LifecycleState,
    )
    from shared.vault.records.record_service import RecordService
    from shared.vault.records.rows import ResolvedRow
    from shared.vault.storage.database import Connection, Database

T = TypeVar("T")

MODIFIED = "version_modified_date__v"


class DocumentService:
    """Creates, changes and deletes documents and versions; returns errors of fields in results, and raises others."""

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
        """Return the model of documents, and the object of their versions.

        :raises VaultFault: INSUFFICIENT_ACCESS unless the caller may carry out the operation on documents;
            OPERATION_NOT_ALLOWED in a Vault without document types.
        """
        require(caller, DOCUMENTS, operation)
        model = self._components.registry.documents
        if model.versions is None:
            raise VaultFault(
                ErrorType.OPERATION_NOT_ALLOWED, "This Vault has no document types"
            )
        return model, model.versions

    async def create(
        self,
        caller: Caller,
        fields: Mapping[str, str],
        file: SourceFile | None,
        *,
        migration: bool = False,
    ) -> RowResult:
        """Create a document, in a state and under a number of the fields in migration mode; raise as ``model`` does."""
        require_migration(caller, migration=migration)
        chosen = MIGRATED if migration else CHOSEN

        async def work(connection: Connection) -> list[RowResult]:
            model, versions = self.model(caller, Operation.CREATE)
            begin = migrated_beginning if migration else beginning_of
            beginning = begin(model, fields)
            own = {name: value for name, value in fields.items() if name not in chosen}
            row = await self._read(connection, caller, versions, own)
            require_fields(versions, row)
            if await taken_numbers(connection, {0: beginning}):
                row.fail(ErrorType.ITEM_NAME_EXISTS, NUMBER_EXISTS)
            if row.errors:
                return [row.refused()]
            document_id = await connection.fetchval(store.NEXT_ID)
            writing = await self.writing(connection, caller)
            first = first_version(writing, document_id, beginning, row.values)
            await store.insert(connection, versions, [first])
            await fill_document_roles(connection, caller, versions, [first])
            if file is not None:
                await store_file(connection, str(first["id"]), SOURCE_FILE, file)
            created = (entries.CREATE, document_id)
            await entries.write_document_change(connection, caller, *created)
            return [RowResult(id=str(document_id))]

        results = await self._records.carry_out(work, VERSIONS)
        return results[0]

    async def new_version(
        self, caller: Caller, document_id: int, file: SourceFile | None
    ) -> Number:
        """Create a draft after the latest version, with ``file`` or else the latest version's file; return its number.

        :raises VaultFault: as ``model`` does; INVALID_DATA when there is no such document.
        """

        async def work(connection: Connection) -> Number:
            model, versions = self.model(caller, Operation.EDIT)
            before = await store.locked(connection, versions, Place(document_id))
            await require_unlocked(connection, caller, document_id)
            number = await self._insert_draft(
                connection, caller, model, versions, before
            )
            version = version_id(document_id, number)
            if file is None:
                await connection.execute(store.COPY_FILE, before["id"], version)
            else:
                await store_file(connection, version, SOURCE_FILE, file)
                await check_in(connection, caller, document_id)
            lines = [("version", str(Number.of(before)), str(number))]
            await entries.write_document_change(
                connection, caller, entries.EDIT, document_id, lines
            )
            return number

        return await self._records.carry_out(work, VERSIONS)

    async def _insert_draft(
        self,
        connection: Connection,
        caller: Caller,
        model: DocumentModel,
        versions: VaultObject,
        before: Record,
    ) -> Number:
        """Store the draft that follows a version, with its fields, and return the draft's number."""
        number = Number.of(before).draft_after()
        lifecycle = model.lifecycles[before[LIFECYCLE]]
        values = {
            name: before[name]
            for name in versions.fields
            if name in before and name not in NOT_COPIED
        }
        # Before the insert: it marks every version of the document that is stored.
        await connection.execute(store.NOT_LATEST, before[DOCUMENT_ID])
        writing = await self.writing(connection, caller)
        draft = latest_version(writing, values, lifecycle, number)
        await store.insert(connection, versions, [draft])
        registry = self._components.registry
        followed = (before["id"], str(draft["id"]))
        await relationships.carry_forward(connection, caller, registry, *followed)
        return number

    async def update(
        self, caller: Caller, place: Place, fields: Mapping[str, str]
    ) -> RowResult:
        """Change fields of a version, of the latest when ``place`` has no number; return the result.

        :raises VaultFault: as ``model`` does; INVALID_DATA when there is no such version.
        """

        async def work(connection: Connection) -> RowResult:
            return await self.update_in(connection, caller, place, fields)

        return await self._records.carry_out(work, VERSIONS)

    async def update_in(
        self,
        connection: Connection,
        caller: Caller,
        place: Place,
        fields: Mapping[str, str],
    ) -> RowResult:
        """Change fields of a version like ``update``, within a transaction that has locked documents."""
        model, versions = self.model(caller, Operation.EDIT)
        before = await store.locked(connection, versions, place)
        calls = [(before["id"], fields)]
        (own,) = await without_unchanged(connection, model, calls)
        row = await self._read(connection, caller, versions, own)
        record_id = str(place.document_id)
        if row.errors:
            return row.refused(record_id)
        await self.change(connection, caller, versions, [(before, row.values)])
        return RowResult(id=record_id, event=UPDATED)

    async def delete(self, caller: Caller, place: Place) -> None:
        """Delete a document or, when ``place`` has a number, one version.

        :raises VaultFault: as ``model`` does; INVALID_DATA for an unknown version; OPERATION_NOT_ALLOWED for the last.
        """

        async def work(connection: Connection) -> None:
            _, versions = self.model(caller, Operation.DELETE)
            found = await store.locked(connection, versions, place)
            await require_unlocked(connection, caller, place.document_id)
            rows = await connection.fetch(store.IDS, place.document_id)
            ids = [row["id"] for row in rows]
            lines: Sequence[AuditLine] = ()
            if place.number is None:
                deleted = str(place.document_id)
                await remove_belongings(connection, caller, place.document_id)
            elif len(ids) == 1:
                raise VaultFault(
                    ErrorType.OPERATION_NOT_ALLOWED,
                    "The only version of a document cannot be deleted; delete the document",
                )
            else:
                deleted = found["id"]
                ids = [deleted]
                await relationships.delete_of_version(connection, caller, deleted)
                lines = [("version", str(place.number), None)]
            # Before the rows go: the entry has the document's number.
            await entries.write_document_change(
                connection, caller, entries.DELETE, place.document_id, lines
            )
            # The versions, too: copies of the Vault have a row for each.
            gone = {DOCUMENTS: [deleted], VERSIONS: ids}
            await note_deletions(connection, gone, {deleted: found[EXTERNAL_ID]})
            await connection.execute(store.DELETE_FILES, ids)
            await connection.execute(store.DELETE_TOKENS, ids)
            await connection.execute(store.DELETE, ids)
            await connection.execute(store.MAKE_LATEST, place.document_id)

        await self._records.carry_out(work, VERSIONS)

    async def state(
        self, caller: Caller, place: Place
    ) -> tuple[Lifecycle, LifecycleState]:
        """Return the lifecycle of a version, and the state that it is in.

        :raises VaultFault: as ``model`` does; INVALID_DATA when there is no such version.
        """
        model, versions = self.model(caller, Operation.READ)
        async with self._database.transaction() as connection:
            version = await store.locked(connection, versions, place)
        return state_of(model, version)

    async def run_action(self, caller: Caller, place: Place, action_name: str) -> None:
        """Run a user action of a version's state.

        A draft that enters a steady state becomes the next major version, and supersedes the earlier steady ones.

        :raises VaultFault: INSUFFICIENT_ACCESS when the state has no such action; the errors of the entry actions.
        """

        async def work(connection: Connection) -> None:
            model, versions = self.model(caller, Operation.EDIT)
            before = await store.locked(connection, versions, place)
            lifecycle, state = state_of(model, before)
            action = offered(state, action_name)
            following = lifecycle.states[action.next_state or ""]
            await self.enter(connection, caller, before, following)

        await self._records.carry_out(work, VERSIONS)

    async def enter(
        self,
        connection: Connection,
        caller: Caller,
        before: Record,
        following: LifecycleState,
    ) -> None:
        """Move a locked version to a state of its lifecycle: number it if it becomes steady, and run the entry actions.

        :raises VaultFault: the error of the first entry action that refuses the change.
        """
        registry = self._components.registry
        model, versions = registry.documents, registry.documents.versions
        lifecycle, state = state_of(model, before)
        if versions is not None:
            changes = {"status__v": following.name}
            await self.change(connection, caller, versions, [(before, changes)])
        if becomes_steady(state, following):
            await make_steady(
                connection, caller, self._vault_id, lifecycle, before, following
            )
        documents = VaultObject(DOCUMENTS, "Document", "Documents", "")
        ids = (str(before[DOCUMENT_ID]),)
        context = ActionContext(
            connection, caller, registry, documents, ids, self._records
        )
        try:
            await self._records.actions.run_entry_actions(context, following)
        except RowsRefused as refusal:
            error = next(iter(refusal.errors.values()))
            raise VaultFault(error.type, error.message) from refusal

    async def writing(self, connection: Connection, caller: Caller) -> Writing:
        """Return the Vault, user and time that are stored with versions written now."""
        now = await moment(connection)
        return Writing(self._vault_id, caller.user_id, now)

    async def with_connection(self, ask: Callable[[Connection], Awaitable[T]]) -> T:
        """Return the result of ``ask``, which is called with a connection outside any transaction."""
        async with self._database.connection() as connection:
            return await ask(connection)

    async def change(
        self,
        connection: Connection,
        caller: Caller,
        versions: VaultObject,
        changes: Sequence[tuple[Record, Mapping[str, object]]],
    ) -> None:
        """Store those values that differ from the stored ones of locked versions, with dates and audit entries.

        ``changes`` are stored versions, each with its new values.
        """
        now = await moment(connection)
        # One statement for all versions in which the same fields change.
        alike: dict[frozenset[str], dict[str, Mapping[str, object]]] = {}
        lines: dict[int, list[AuditLine]] = {}
        numbers: dict[int, str] = {}
        for before, values in changes:
            different = {
                name: value for name, value in values.items() if before[name] != value
            }
            if not different:
                continue
            # The later one of two states of a version has the later date, also within a millisecond.
            dated = max(now, next_moment(before[MODIFIED]))
            stamp = {"last_modified_by__v": caller.user_id, MODIFIED: dated}
            rows = alike.setdefault(frozenset(different), {})
            rows[before["id"]] = {**different, **stamp}
            lines[before[DOCUMENT_ID]] = [
                (name, before[name], value) for name, value in different.items()
            ]
            numbers[before[DOCUMENT_ID]] = str(Number.of(before))
        for rows in alike.values():
            await store.update(connection, versions, rows)
        await entries.write_document_changes(
            connection, caller, entries.EDIT, lines, numbers
        )

    def read(
        self, rows: Sequence[Mapping[str, object]], versions: VaultObject
    ) -> list[ReadRow]:
        """Return rows of fields as values of versions; errors mention documents, not the table of their versions."""
        named = replace(versions, name=DOCUMENTS)
        return self._records.reader(named).read(rows)

    async def _read(
        self,
        connection: Connection,
        caller: Caller,
        versions: VaultObject,
        fields: Mapping[str, str],
    ) -> ResolvedRow:
        """Return the fields of a call as a row of column values, with an error for each value that cannot be stored."""
        read = self.read([fields], versions)
        batch = self._records.batch(connection, caller, versions)
        (row,) = await batch.resolve(read)
        return row
