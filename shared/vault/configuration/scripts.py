"""Describes the results of MDL scripts, statement by statement, in the format of the API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.vault.components.statement import Statement

SUCCESS_CODE = "GEN-S-0"


@dataclass(frozen=True, slots=True)
class StatementResult:
    """The result of one MDL statement: ``code`` is empty when it was executed.

    ``affected`` is False when there was nothing to change; ``warnings`` name likely mistakes.
    """

    number: int
    command: str
    component: str
    line: int
    code: str = ""
    message: str = ""
    affected: bool = True
    warnings: Sequence[str] = ()

    @property
    def ok(self) -> bool:
        """Return whether the statement was executed."""
        return not self.code


@dataclass(slots=True)
class ScriptExecution:
    """The results of a script's statements, each of which is executed whole or not at all."""

    statements: list[StatementResult] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def failures(self) -> list[StatementResult]:
        """Return the results of the statements that were refused."""
        return [s for s in self.statements if not s.ok]

    def to_json(self, vault_name: str) -> dict[str, object]:
        """Return the body of ``POST /api/mdl/execute``, without the envelope's own members."""
        return {
            "script_execution": self._script_json(),
            "statement_execution": [
                _statement_json(each, vault_name) for each in self.statements
            ],
        }

    def _script_json(self) -> dict[str, object]:
        """Return the summary of all statements."""
        failures = self.failures
        affected = [each for each in self.statements if each.ok and each.affected]
        return {
            "code": failures[0].code if failures else SUCCESS_CODE,
            "message": failures[0].message if failures else "OK",
            "warnings": sum(len(each.warnings) for each in self.statements),
            "failures": len(failures),
            "exceptions": 0,
            "components_affected": len(affected),
            "execution_time": round(self.seconds, 3),
        }


def _statement_json(result: StatementResult, vault_name: str) -> dict[str, object]:
    """Return the result of one statement."""
    shown = result.component.replace(".", " ", 1)
    response = "SUCCESS" if result.ok else "FAILURE"
    context = f"{result.command} {shown}"
    message = f"[{response}] {context}"
    body: dict[str, object] = {
        "vault": vault_name,
        "statement": result.number,
        "command": result.command,
        "component": result.component,
        "message": message if result.affected else f"{message}: nothing to do",
        "response": response,
    }
    # Of our own, and only where there are any.
    if result.warnings:
        body["warnings"] = [{"message": warning} for warning in result.warnings]
    if not result.ok:
        error = {
            "line": result.line,
            "message": result.message,
            "context": context,
            "code": result.code,
        }
        body["errors"] = [error]
    return body


def refused(
    number: int,
    statement: Statement,
    code: str,
    message: str,
) -> StatementResult:
    """Return the result of a refused statement, which changed nothing."""
    name = f"{statement.type}.{statement.name}"
    return StatementResult(
        number, statement.command, name, statement.line, code, message
    )
