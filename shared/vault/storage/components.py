"""Components of a Vault in its database: MDL executed, tables changed with it, the registry kept current."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import asyncpg
import orjson
import structlog

from shared.vault.components import change
from shared.vault.components.description import configuration_json
from shared.vault.components.errors import ComponentError, MdlSyntaxError
from shared.vault.components.mdl import parse, render
from shared.vault.components.registry import Registry
from shared.vault.components.tree import Component
from shared.vault.errors import ErrorType, VaultFault
from shared.vault.security.permissions import Grant, authorize
from shared.vault.storage.database import DatabaseUnavailable
from shared.vault.storage.notifications import COMPONENT_CHANGED
from shared.vault.storage.stored_data import carry_over

if TYPE_CHECKING:
    from shared.vault.components.statement import Statement
    from shared.vault.security.caller import Caller
    from shared.vault.storage.database import Connection, Database

log = structlog.get_logger(__name__)

T = TypeVar("T")
Revision = tuple[int, Registry]
"""The components after so many changes."""

LOCK = 7_214_002  # advisory lock: exclusive to change components, shared to write records
MAX_SCRIPT = 5_000_000
READ_ATTEMPTS = 3

# A query compiled for tables that a component change has replaced since.
TABLES_CHANGED = (asyncpg.UndefinedColumnError, asyncpg.UndefinedTableError, asyncpg.DatatypeMismatchError)
# The statement was undone; those before it stay, so the caller must learn which one it was.
BUSY = (
    DatabaseUnavailable,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
)
BUSY_CODE = "GEN-F-503"
BUSY_TEXT = "The database was busy with other work for too long; nothing of this statement was done."

STORE = """
INSERT INTO platform.component (type, name, definition, modified_by) VALUES ($1, $2, $3, $4)
ON CONFLICT (type, name) DO UPDATE
SET definition = excluded.definition, modified_by = excluded.modified_by, modified_date = now()
"""


@dataclass(frozen=True, slots=True)
class StatementResult:
    """What one MDL statement came to."""

    number: int
    command: str
    component: str
    line: int
    code: str = ""
    message: str = ""

    @property
    def ok(self) -> bool:
        """Whether the statement was carried out."""
        return not self.code


@dataclass(slots=True)
class ScriptExecution:
    """What a script came to, statement by statement; each is carried out whole or not at all."""

    statements: list[StatementResult] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def failures(self) -> list[StatementResult]:
        """The statements that were refused."""
        return [s for s in self.statements if not s.ok]

    def to_json(self, vault_name: str) -> dict[str, object]:
        """The body of ``POST /api/mdl/execute``, without the envelope's own members."""
        failures = self.failures
        return {
            "script_execution": {
                "code": failures[0].code if failures else "GEN-S-0",
                "message": failures[0].message if failures else "OK",
                "warnings": 0,
                "failures": len(failures),
                "exceptions": 0,
                "components_affected": len(self.statements) - len(failures),
                "execution_time": round(self.seconds, 3),
            },
            "statement_execution": [self._statement_json(s, vault_name) for s in self.statements],
        }

    @staticmethod
    def _statement_json(result: StatementResult, vault_name: str) -> dict[str, object]:
        shown = result.component.replace(".", " ", 1)
        body: dict[str, object] = {
            "vault": vault_name,
            "statement": result.number,
            "command": result.command,
            "component": result.component,
            "message": f"[{'SUCCESS' if result.ok else 'FAILURE'}] {result.command} {shown}",
            "response": "SUCCESS" if result.ok else "FAILURE",
        }
        if not result.ok:
            context = f"{result.command} {shown}"
            error = {"line": result.line, "message": result.message, "context": context, "code": result.code}
            body["errors"] = [error]
        return body


class ComponentsChanged(Exception):
    """The components are no longer those of the registry; nothing was done, and a read brings them up to date."""


class ComponentService:
    """Executes MDL and answers from the registry, which is replaced whole after every change."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._renewal = asyncio.Lock()  # an older registry never replaces a newer one
        self._revision = 0
        self.registry: Registry = Registry.build(())

    async def load(self) -> None:
        """Read all components, at start and when another process has changed them."""
        async with self._renewal, self._database.connection() as connection:
            self._renew(await self._read(connection))

    async def hold(self, connection: Connection) -> None:
        """Keep the components as the registry has them until the transaction ends; raises ComponentsChanged."""
        if await connection.fetchval("SELECT platform.hold_components($1)", LOCK) != self._revision:
            raise ComponentsChanged

    async def unless_changed(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run a reading ``work``; again when it meets tables that are no longer those of the registry."""
        for _ in range(READ_ATTEMPTS):
            try:
                return await work()
            except TABLES_CHANGED:
                await self.load()
        return await work()

    def _renew(self, current: Revision) -> None:
        self._revision, self.registry = current

    @staticmethod
    async def _read(connection: Connection) -> Revision:
        # The number first: components newer than it are read once more, never taken for current.
        revision = await connection.fetchval("SELECT revision FROM platform.component_revision")
        rows = await connection.fetch("SELECT definition FROM platform.component ORDER BY position")
        return revision, Registry.build(Component.from_json(orjson.loads(row["definition"])) for row in rows)

    async def execute(self, caller: Caller, text: str) -> ScriptExecution:
        """Carry out a script; stops at the first statement that is refused, what came before it stays.

        Raises VaultFault ``INVALID_DATA`` when the text is not MDL, naming line and column.
        """
        authorize(caller, Grant.EXECUTE_MDL)
        if len(text) > MAX_SCRIPT:
            raise VaultFault(ErrorType.EXCEEDS_FILE_MAX_SIZE, f"A script holds at most {MAX_SCRIPT} characters")
        try:
            statements = parse(text)
        except MdlSyntaxError as error:
            raise VaultFault(ErrorType.INVALID_DATA, str(error)) from error
        script, started = ScriptExecution(), time.perf_counter()
        for number, statement in enumerate(statements, 1):
            result = await self._execute_one(caller, number, statement)
            script.statements.append(result)
            if not result.ok:
                break
        script.seconds = time.perf_counter() - started
        return script

    async def _execute_one(self, caller: Caller, number: int, statement: Statement) -> StatementResult:
        name = f"{statement.type}.{statement.name}"

        async def work(connection: Connection) -> Revision:
            await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
            return await self._change(connection, caller, statement)

        try:
            async with self._renewal:
                self._renew(await self._database.unit_of_work(work))
        except ComponentError as error:
            return StatementResult(
                number, statement.command, name, statement.line, code=error.code, message=error.message
            )
        except BUSY:
            if number == 1:
                raise
            return StatementResult(number, statement.command, name, statement.line, code=BUSY_CODE, message=BUSY_TEXT)
        if statement.type == "Object":
            await self._database.forget_statements()
        log.info("component.changed", command=statement.command, component=name, user_id=caller.user_id)
        return StatementResult(number, statement.command, name, statement.line)

    async def _change(self, connection: Connection, caller: Caller, statement: Statement) -> Revision:
        """One statement inside its transaction: the tree, the cross-references, the stored data, the row."""
        revision, registry = await self._read(connection)
        key = (statement.type, statement.name)
        after = change.apply(statement, registry.components.get(key))
        changed = registry.without(*key) if after is None else registry.with_component(after)
        await carry_over(connection, registry, changed, key)
        if after is None:
            await connection.execute("DELETE FROM platform.component WHERE type = $1 AND name = $2", *key)
        else:
            await connection.execute(STORE, *key, orjson.dumps(after.to_json()).decode(), caller.user_id)
        await connection.execute("UPDATE platform.component_revision SET revision = revision + 1")
        await connection.execute("SELECT pg_notify($1, '')", COMPONENT_CHANGED)
        return revision + 1, changed

    def component(self, caller: Caller, name: str) -> Component:
        """The component ``Type.name``; raises VaultFault ``INVALID_DATA``."""
        authorize(caller, Grant.READ_CONFIGURATION)
        kind, _, rest = name.partition(".")
        found = self.registry.components.get((kind, rest))
        if found is None:
            raise VaultFault(ErrorType.INVALID_DATA, f"There is no component [{name[:200]}]")
        return found

    def mdl(self, caller: Caller, name: str) -> str:
        """The component as MDL text that executes to the same thing."""
        return render(self.component(caller, name))

    def configuration(self, caller: Caller, component_type: str) -> list[dict[str, object]]:
        """All components of a type, as ``GET /configuration/{Type}`` returns them."""
        authorize(caller, Grant.READ_CONFIGURATION)
        return [configuration_json(c) for (kind, _), c in self.registry.components.items() if kind == component_type]
