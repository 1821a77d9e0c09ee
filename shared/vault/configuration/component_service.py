"""Executes MDL in the Vault's database: stores components, changes tables with them, and keeps the registry current."""

from __future__ import annotations

import asyncio
import copy
import time
from collections.abc import Awaitable, Callable, Collection
from typing import TYPE_CHECKING, TypeVar

import asyncpg
import structlog

from shared.protocol.error_types import ErrorType
from shared.vault.access.configuration_reach import check_reach
from shared.vault.access.permissions import Grant, authorize, authorize_components
from shared.vault.access.profiles import check_change, supplied_components
from shared.vault.audit.audit_entries import write_component_change
from shared.vault.components import evolution
from shared.vault.components.component_errors import ComponentError, MdlSyntaxError
from shared.vault.components.component_kinds import ComponentKind
from shared.vault.components.component_tree import Component
from shared.vault.components.concerned_tables import concerned_tables
from shared.vault.components.description import configuration_json, object_type_json
from shared.vault.components.mdl import parse
from shared.vault.components.mdl_writing import render
from shared.vault.components.permission_types import PERMISSION_SET, PROFILE
from shared.vault.components.registry import Registry
from shared.vault.components.statement_warnings import statement_warnings
from shared.vault.configuration.component_locks import (
    ComponentsChanged,
    lock_for_writing,
    lock_tables,
    repeated_while_busy,
    short_lock_timeout,
)
from shared.vault.configuration.component_table import (
    NEXT_REVISION,
    REVISION,
    ObjectDates,
    Revision,
    object_dates,
    read_revision,
    store_field_stamps,
    store_step,
)
from shared.vault.configuration.scripts import ScriptExecution, StatementResult, refused
from shared.vault.configuration.stored_data import carry_over, follow
from shared.vault.errors import VaultFault
from shared.vault.storage.database import COMPONENT_CHANGED, DatabaseUnavailable
from shared.vault.storage.server_faults import SERVER_FAULTS

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.components.evolution import Step
    from shared.vault.components.statement import Statement
    from shared.vault.storage.database import Connection, Database, OneTransaction

log = structlog.get_logger(__name__)

T = TypeVar("T")

# Types of components whose change may change a table.
TABLE_TYPES = frozenset(
    {ComponentKind.OBJECT, ComponentKind.DOCUMENT_FIELD, ComponentKind.DOCUMENT_TYPE}
)
MAX_SCRIPT = 5_000_000  # characters
MAX_STATEMENTS = 1000
MAX_SEMICOLONS = 20 * MAX_STATEMENTS  # they end statements, or separate changes in one

# An advisory lock of those who change components. Who writes records locks tables instead.
LOCK = 7_214_002
LOCK_COMPONENTS = "SELECT pg_advisory_xact_lock($1)"
NOTIFY = "SELECT pg_notify($1, '')"

# A query compiled for tables that a component change has replaced since.
TABLES_CHANGED = (
    asyncpg.UndefinedColumnError,
    asyncpg.UndefinedTableError,
    asyncpg.DatatypeMismatchError,
)
# The statement was undone; those before it stay, so the caller must learn which one it was.
BUSY = (
    DatabaseUnavailable,
    *SERVER_FAULTS,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
)
SUPPLIED = supplied_components()  # those that every Vault has and none stores

BUSY_CODE = "GEN-F-503"
BUSY_TEXT = "The database was busy with other work for too long; this statement has changed nothing."


class ComponentService:
    """Executes MDL, and returns components from the registry, which is replaced as a whole after every change.

    ``revision`` is the number of the configuration that the registry has.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        # Around each read, so that many who find the components changed read them once.
        self._reading = asyncio.Lock()
        self.revision = 0
        # Whether all is part of one transaction, which only its owner can give up, and begin again.
        self._bound = False
        self.registry: Registry = Registry.build(())

    async def within(self, transaction: OneTransaction) -> ComponentService:
        """Return this service bound to one transaction, with the components as that transaction reads them.

        Until the transaction ends, no other script changes components. Statements raise TablesBusy when the transaction
        has to be started again.
        """
        own = copy.copy(self)
        own._database = transaction  # noqa: SLF001  a copy of itself
        own._reading = asyncio.Lock()  # noqa: SLF001  a copy of itself
        own._bound = True  # noqa: SLF001  a copy of itself
        async with transaction.connection() as connection:
            await connection.execute(LOCK_COMPONENTS, LOCK)
        await own.load()
        return own

    async def load(self) -> None:
        """Read all components from the database if they have changed."""
        async with self._reading, self._database.connection() as connection:
            self._renew(await self._current(connection))

    async def lock_for_writing(
        self, connection: Connection, tables: Collection[str]
    ) -> int:
        """Lock the components of tables until the transaction ends, and return the revision of all components.

        A registry of an older revision is refreshed. Components of other tables may still change: a caller who writes
        those tables, too, calls ``confirm`` afterwards.
        """
        revision = await lock_for_writing(connection, tables)
        if revision > self.revision:
            async with self._reading:
                self._renew(await self._current(connection))
        return revision

    async def confirm(self, connection: Connection, revision: int) -> None:
        """Check that ``revision`` is still current, after writing tables whose components are not locked.

        :raises ComponentsChanged: when it is not, so that the transaction may have used old components.
        """
        if await connection.fetchval(REVISION) != revision:
            raise ComponentsChanged

    def _renew(self, current: Revision) -> None:
        """Replace the registry by that of ``current``, unless the registry is newer."""
        if current[0] >= self.revision:
            self.revision, self.registry = current

    async def _current(self, connection: Connection) -> Revision:
        """Return the current components; reuse the registry if nothing has changed since it was loaded."""
        revision = await connection.fetchval(REVISION)
        if revision == self.revision:
            return revision, self.registry
        return await read_revision(connection)

    async def execute(self, caller: Caller, text: str) -> ScriptExecution:
        """Execute a script, and return its results; stop at the first statement that is refused.

        The effect of earlier statements stays: each is a transaction of its own.

        :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not execute it; INVALID_DATA, with line and column,
            when the text is not MDL; EXCEEDS_FILE_MAX_SIZE when it is too large.
        """
        statements = await self.statements(caller, text)
        script = ScriptExecution()
        started = time.perf_counter()
        for number, statement in enumerate(statements, 1):
            try:
                result = await self.execute_statement(caller, number, statement)
            except BUSY:
                # Nothing of the script was done: the whole call can be repeated.
                if number == 1:
                    raise
                result = refused(number, statement, BUSY_CODE, BUSY_TEXT)
            script.statements.append(result)
            if not result.ok:
                break
        script.seconds = time.perf_counter() - started
        return script

    async def statements(
        self,
        caller: Caller,
        text: str,
    ) -> list[Statement]:
        """Return the statements of a script after checking that the caller may execute them all.

        :raises VaultFault: as ``execute`` does.
        """
        # Before the text is read, for a caller who may execute none at all.
        authorize_components(caller)
        if len(text) > MAX_SCRIPT:
            raise VaultFault(
                ErrorType.EXCEEDS_FILE_MAX_SIZE,
                f"A script has at most {MAX_SCRIPT} characters",
            )
        if text.count(";") > MAX_SEMICOLONS:
            raise _too_many_statements()
        try:
            # A long script takes long enough to keep other requests waiting.
            statements = await asyncio.to_thread(parse, text)
        except MdlSyntaxError as error:
            raise VaultFault(ErrorType.INVALID_DATA, str(error)) from error
        if len(statements) > MAX_STATEMENTS:
            raise _too_many_statements()
        types = {statement.type for statement in statements}
        authorize_components(caller, types)
        return statements

    async def execute_statement(
        self,
        caller: Caller,
        number: int,
        statement: Statement,
        seen: Component | None = None,
    ) -> StatementResult:
        """Execute one statement in one transaction, and return its result.

        :param seen: the component as the caller has read it; None executes the statement without a comparison.
        :raises VaultFault: RACE_CONDITION when the component has changed since it was read.
        :raises DatabaseUnavailable: the database cannot be reached; asyncpg's errors in BUSY when it is busy. In both
            cases nothing was changed.
        """

        async def work(connection: Connection) -> tuple[Revision, bool]:
            await connection.execute(LOCK_COMPONENTS, LOCK)
            async with short_lock_timeout(connection):
                return await self._change(connection, caller, statement, seen)

        try:
            current, affected = await self._in_transaction(work)
        except ComponentError as error:
            return refused(number, statement, error.code, error.message)
        self._renew(current)
        # Prepared statements of the pool have the columns of before.
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
            number,
            statement.command,
            name,
            statement.line,
            affected=affected,
            warnings=statement_warnings(statement, current[1]),
        )

    async def _in_transaction(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Run a change in a transaction, and return its result; repeat it while its tables are busy.

        :raises TablesBusy: the tables are busy, and the change is part of a larger transaction.
        """
        if self._bound:
            return await self._database.unit_of_work(work)
        return await repeated_while_busy(lambda: self._database.unit_of_work(work))

    async def _change(
        self,
        connection: Connection,
        caller: Caller,
        statement: Statement,
        seen: Component | None,
    ) -> tuple[Revision, bool]:
        """Carry out a statement in its transaction; return the components after it, and whether it changed any.

        :raises ComponentError: the statement is refused.
        :raises VaultFault: RACE_CONDITION when the component is not equal to ``seen`` any more.
        """
        revision, registry = await self._current(connection)
        if seen is not None and registry.components.get(statement.key) != seen:
            message = "The component was changed by someone else meanwhile"
            raise VaultFault(ErrorType.RACE_CONDITION, message)
        taken = evolution.steps(statement, registry)
        if not taken:
            return (revision, registry), False
        for step in taken:
            await self._carry_out(connection, caller, statement, step)
        await connection.execute(NEXT_REVISION)
        # Sent with the commit, as PostgreSQL does with notifications.
        await connection.execute(NOTIFY, COMPONENT_CHANGED)
        return (revision + 1, taken[-1].after), True

    @staticmethod
    async def _carry_out(
        connection: Connection,
        caller: Caller,
        statement: Statement,
        step: Step,
    ) -> None:
        """Carry out one step of a statement: change data and components, and store who changed them and when.

        :raises ComponentError: the step would lose data, or give permissions or show values that the caller does not
            have.
        """
        if statement.type in (PERMISSION_SET, PROFILE):
            check_change(caller, step)
        check_reach(caller, step)
        # Before data are looked at: whoever writes them goes by the components as they were.
        await lock_tables(connection, concerned_tables(step))
        if step.renaming is not None:
            await follow(connection, step.before, step.renaming)
        else:
            await carry_over(connection, step.before, step.after, statement.key)
        await store_step(connection, caller, step)
        await store_field_stamps(connection, caller, step)
        for key, component in step.changes.items():
            before = step.before.components.get(key)
            await write_component_change(
                connection, caller, statement.command, before, component
            )

    def component(self, caller: Caller, name: str) -> Component:
        """Return the component ``Type.name``.

        :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not read components; INVALID_DATA when there is no
            such component.
        """
        authorize(caller, Grant.READ_CONFIGURATION)
        kind, _, rest = name.partition(".")
        key = (kind, rest)
        found = SUPPLIED.get(key) or self.registry.components.get(key)
        if found is None:
            raise VaultFault(
                ErrorType.INVALID_DATA, f"There is no component [{name[:200]}]"
            )
        return found

    async def dates(self, object_name: str) -> ObjectDates:
        """Return when and by whom an object and each of its fields were created and last changed.

        :raises VaultFault: INVALID_DATA when there is no such object.
        """
        async with self._database.connection() as connection:
            found = await object_dates(connection, object_name)
        if found is None:
            raise VaultFault(
                ErrorType.INVALID_DATA, f"There is no object [{object_name[:100]}]"
            )
        return found

    def mdl(self, caller: Caller, name: str) -> str:
        """Return a component as the MDL text that creates it.

        :raises VaultFault: as ``component`` does.
        """
        component = self.component(caller, name)
        return render(component)

    def configuration(
        self,
        caller: Caller,
        component_type: str,
    ) -> list[dict[str, object]]:
        """Return all components of a type, as ``GET /configuration/{Type}`` returns them.

        :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not read components.
        """
        authorize(caller, Grant.READ_CONFIGURATION)
        registry = self.registry
        # Types of objects are derived: those that no statement has created are among them.
        if component_type == ComponentKind.OBJECT_TYPE:
            return [
                object_type_json(each, registry.objects[each.object])
                for each in registry.object_types.values()
            ]
        # Supplied ones come first, and hide a stored one of their name.
        components = {**SUPPLIED, **registry.components, **SUPPLIED}
        return [
            configuration_json(component, registry.used_in.get(component.key, ()))
            for component in components.values()
            if component.type == component_type
        ]


def _too_many_statements() -> VaultFault:
    message = f"A script has at most {MAX_STATEMENTS} statements"
    return VaultFault(ErrorType.INVALID_DATA, message)
