"""Components of a Vault in its database: MDL executed, tables changed with it, the registry kept current."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson
import structlog

from shared.vault.components import change, schema
from shared.vault.components.build import build_object
from shared.vault.components.description import configuration_json
from shared.vault.components.errors import Code, ComponentError, MdlSyntaxError
from shared.vault.components.mdl import parse, render
from shared.vault.components.registry import Registry
from shared.vault.components.tree import Component
from shared.vault.errors import ErrorType, VaultFault
from shared.vault.security.permissions import Grant, authorize
from shared.vault.storage.notifications import COMPONENT_CHANGED

if TYPE_CHECKING:
    from shared.vault.components.statement import Statement
    from shared.vault.security.caller import Caller
    from shared.vault.storage.database import Connection, Database

log = structlog.get_logger(__name__)

LOCK = 7_214_002  # advisory lock: one script changes components at a time
MAX_SCRIPT = 5_000_000


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


class ComponentService:
    """Executes MDL and answers from the registry, which is replaced whole after every change."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.registry: Registry = Registry.build(())

    async def load(self) -> None:
        """Read all components, at start and when another process has changed them."""
        async with self._database.connection() as connection:
            self.registry = await self._read(connection)

    @staticmethod
    async def _read(connection: Connection) -> Registry:
        rows = await connection.fetch("SELECT definition FROM platform.component ORDER BY position")
        return Registry.build(Component.from_json(orjson.loads(row["definition"])) for row in rows)

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

        async def work(connection: Connection) -> Registry:
            await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
            return await self._change(connection, caller, statement)

        try:
            self.registry = await self._database.unit_of_work(work)
        except ComponentError as error:
            return StatementResult(
                number, statement.command, name, statement.line, code=error.code, message=error.message
            )
        if statement.type == "Object":
            await self._database.forget_statements()
        log.info("component.changed", command=statement.command, component=name, user_id=caller.user_id)
        return StatementResult(number, statement.command, name, statement.line)

    async def _change(self, connection: Connection, caller: Caller, statement: Statement) -> Registry:
        """One statement inside its transaction: the tree, the cross-references, the tables, the row."""
        registry = await self._read(connection)
        key = (statement.type, statement.name)
        before = registry.components.get(key)
        after = change.apply(statement, before)
        changed = registry.without(*key) if after is None else registry.with_component(after)
        if statement.type == "Object":
            await self._change_table(connection, before, after)
        if after is None:
            await connection.execute("DELETE FROM platform.component WHERE type = $1 AND name = $2", *key)
        else:
            await connection.execute(
                "INSERT INTO platform.component (type, name, definition, modified_by) VALUES ($1, $2, $3, $4)"
                " ON CONFLICT (type, name) DO UPDATE SET definition = excluded.definition,"
                " modified_by = excluded.modified_by, modified_date = now()",
                *key,
                orjson.dumps(after.to_json()).decode(),
                caller.user_id,
            )
        await connection.execute("SELECT pg_notify($1, '')", COMPONENT_CHANGED)
        return changed

    @staticmethod
    async def _change_table(connection: Connection, before: Component | None, after: Component | None) -> None:
        old, new = (None if tree is None else build_object(tree) for tree in (before, after))
        plan = schema.plan(old, new)
        for guard in plan.guards:
            if await connection.fetchval(guard.sql):
                raise ComponentError(guard.message, Code.DATA_LOSS)
        for sql in plan.statements:
            await connection.execute(sql)

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
