"""Components of a Vault in its database: MDL executed, tables changed with it, the registry kept current."""

from __future__ import annotations

import asyncio
import copy
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import asyncpg
import structlog

from shared.protocol.error_types import ErrorType
from shared.runtime.retry_policies import TABLE_CHANGED
from shared.vault.access.permissions import Grant, authorize, authorize_components
from shared.vault.access.profiles import check_change, supplied_components
from shared.vault.audit.audit_entries import component_changed
from shared.vault.components import evolution
from shared.vault.components.component_errors import ComponentError, MdlSyntaxError
from shared.vault.components.component_kinds import ComponentKind
from shared.vault.components.component_tree import Component
from shared.vault.components.description import configuration_json, object_type_json
from shared.vault.components.mdl import parse, render
from shared.vault.components.permission_types import PERMISSION_SET, PROFILE
from shared.vault.components.registry import Registry
from shared.vault.configuration.component_table import (
    NEXT_REVISION,
    REVISION,
    ObjectDates,
    Revision,
    note_fields,
    object_dates,
    read_revision,
    store_step,
)
from shared.vault.configuration.scripts import ScriptExecution, StatementResult, refused
from shared.vault.configuration.stored_data import carry_over, follow
from shared.vault.errors import VaultFault
from shared.vault.storage.channels import COMPONENT_CHANGED
from shared.vault.storage.database import DatabaseUnavailable

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.components.statement import Statement
    from shared.vault.storage.database import Connection, Database, OneTransaction

log = structlog.get_logger(__name__)

T = TypeVar("T")
TABLE_TYPES = frozenset(
    {ComponentKind.OBJECT, ComponentKind.DOCUMENT_FIELD, ComponentKind.DOCUMENT_TYPE}
)  # whose change may change a table
LOCK = (
    7_214_002  # advisory lock: exclusive to change components, shared to write records
)
MAX_SCRIPT = 5_000_000

# A query compiled for tables that a component change has replaced since.
TABLES_CHANGED = (
    asyncpg.UndefinedColumnError,
    asyncpg.UndefinedTableError,
    asyncpg.DatatypeMismatchError,
)
# The statement was undone; those before it stay, so the caller must learn which one it was.
BUSY = (
    DatabaseUnavailable,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
)
SUPPLIED = supplied_components()  # what every Vault has, and none keeps

BUSY_CODE = "GEN-F-503"
BUSY_TEXT = "The database was busy with other work for too long; nothing of this statement was done."


class ComponentsChanged(Exception):
    """The components are no longer those of the registry; nothing was done, and a read brings them up to date."""


class ComponentService:
    """Executes MDL and answers from the registry, which is replaced whole after every change."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._renewal = asyncio.Lock()  # an older registry never replaces a newer one
        self._revision = 0
        self.registry: Registry = Registry.build(())

    async def within(self, transaction: OneTransaction) -> ComponentService:
        """The same service as a part of one transaction, with the components as that transaction sees them.

        No other script changes components before the transaction ends.
        """
        own = copy.copy(self)
        own._database, own._renewal = transaction, asyncio.Lock()  # noqa: SLF001  a copy of itself
        async with transaction.connection() as connection:
            await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
        await own.load()
        return own

    async def load(self) -> None:
        """Read all components, at start and when another process has changed them."""
        async with self._renewal, self._database.connection() as connection:
            self._renew(await read_revision(connection))

    async def hold(self, connection: Connection) -> None:
        """Keep the components as the registry has them until the transaction ends; raises ComponentsChanged."""
        if (
            await connection.fetchval("SELECT platform.hold_components($1)", LOCK)
            != self._revision
        ):
            raise ComponentsChanged

    async def unless_changed(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run a reading ``work``; again when it meets tables that are no longer those of the registry."""
        for _ in range(TABLE_CHANGED.attempts - 1):
            try:
                return await work()
            except TABLES_CHANGED:
                await self.load()
        return await work()

    def _renew(self, current: Revision) -> None:
        self._revision, self.registry = current

    async def _current(self, connection: Connection) -> Revision:
        """The components now; the registry's, where those are they."""
        revision = await connection.fetchval(REVISION)
        return (
            (revision, self.registry)
            if revision == self._revision
            else await read_revision(connection)
        )

    async def execute(self, caller: Caller, text: str) -> ScriptExecution:
        """Carry out a script; stops at the first statement that is refused, what came before it stays.

        Raises VaultFault ``INVALID_DATA`` when the text is not MDL, naming line and column.
        """
        statements = await self.statements(caller, text)
        script, started = ScriptExecution(), time.perf_counter()
        for number, statement in enumerate(statements, 1):
            try:
                result = await self.execute_statement(caller, number, statement)
            except BUSY:
                if number == 1:
                    raise
                result = refused(number, statement, BUSY_CODE, BUSY_TEXT)
            script.statements.append(result)
            if not result.ok:
                break
        script.seconds = time.perf_counter() - started
        return script

    async def statements(self, caller: Caller, text: str) -> list[Statement]:
        """The statements of a script that the caller may execute; raises VaultFault as ``execute`` does."""
        authorize_components(caller)
        if len(text) > MAX_SCRIPT:
            raise VaultFault(
                ErrorType.EXCEEDS_FILE_MAX_SIZE,
                f"A script holds at most {MAX_SCRIPT} characters",
            )
        try:
            statements = await asyncio.to_thread(parse, text)
        except MdlSyntaxError as error:
            raise VaultFault(ErrorType.INVALID_DATA, str(error)) from error
        authorize_components(caller, {statement.type for statement in statements})
        return statements

    async def execute_statement(
        self, caller: Caller, number: int, statement: Statement
    ) -> StatementResult:
        """Carry out one statement, whole or not at all; raises what BUSY names when nothing could be tried."""

        async def work(connection: Connection) -> Revision:
            await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
            return await self._change(connection, caller, statement)

        try:
            async with self._renewal:
                before = self._revision
                self._renew(await self._database.unit_of_work(work))
                affected = self._revision != before
        except ComponentError as error:
            return refused(number, statement, error.code, error.message)
        if affected and statement.type in TABLE_TYPES:
            await self._database.forget_statements()
        name = f"{statement.type}.{statement.name}"
        log.info(
            "component.changed",
            command=statement.command,
            component=name,
            user_id=caller.user_id,
        )
        return StatementResult(
            number, statement.command, name, statement.line, affected=affected
        )

    async def _change(
        self, connection: Connection, caller: Caller, statement: Statement
    ) -> Revision:
        """One statement inside its transaction: the trees, the cross-references, the stored data, the rows."""
        revision, registry = await self._current(connection)
        taken = evolution.steps(statement, registry)
        if not taken:
            return revision, registry
        for step in taken:
            if statement.type in (PERMISSION_SET, PROFILE):
                check_change(caller, step)
            if step.renaming is not None:
                await follow(connection, step.before, step.renaming)
            else:
                await carry_over(connection, step.before, step.after, statement.key)
            await store_step(connection, caller, step)
            await note_fields(connection, caller, step)
            for key, component in step.changes.items():
                before = step.before.components.get(key)
                await component_changed(
                    connection, caller, statement.command, before, component
                )
        await connection.execute(NEXT_REVISION)
        await connection.execute("SELECT pg_notify($1, '')", COMPONENT_CHANGED)
        return revision + 1, taken[-1].after

    def component(self, caller: Caller, name: str) -> Component:
        """The component ``Type.name``; raises VaultFault ``INVALID_DATA``."""
        authorize(caller, Grant.READ_CONFIGURATION)
        kind, _, rest = name.partition(".")
        found = SUPPLIED.get((kind, rest)) or self.registry.components.get((kind, rest))
        if found is None:
            raise VaultFault(
                ErrorType.INVALID_DATA, f"There is no component [{name[:200]}]"
            )
        return found

    async def dates(self, object_name: str) -> ObjectDates:
        """By whom and when an object and its fields were created and changed; raises VaultFault ``INVALID_DATA``."""
        async with self._database.connection() as connection:
            found = await object_dates(connection, object_name)
        if found is None:
            raise VaultFault(
                ErrorType.INVALID_DATA, f"There is no object [{object_name[:100]}]"
            )
        return found

    def mdl(self, caller: Caller, name: str) -> str:
        """The component as MDL text that executes to the same thing."""
        return render(self.component(caller, name))

    def configuration(
        self, caller: Caller, component_type: str
    ) -> list[dict[str, object]]:
        """All components of a type, as ``GET /configuration/{Type}`` returns them."""
        authorize(caller, Grant.READ_CONFIGURATION)
        registry = self.registry
        if component_type == ComponentKind.OBJECT_TYPE:
            return [
                object_type_json(t, registry.objects[t.object])
                for t in registry.object_types.values()
            ]
        return [
            configuration_json(component, registry.used_in.get(component.key, ()))
            for component in {**SUPPLIED, **registry.components, **SUPPLIED}.values()
            if component.type == component_type
        ]
