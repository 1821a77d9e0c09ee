"""What MDL scripts come to, statement by statement, as the API tells it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.vault.components.statement import Statement

__all__ = ["ScriptExecution", "StatementResult", "refused"]


@dataclass(frozen=True, slots=True)
class StatementResult:
    """What one MDL statement came to."""

    number: int
    command: str
    component: str
    line: int
    code: str = ""
    message: str = ""
    affected: bool = True  # whether there was anything to do

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
                "components_affected": sum(
                    s.ok and s.affected for s in self.statements
                ),
                "execution_time": round(self.seconds, 3),
            },
            "statement_execution": [
                self._statement_json(s, vault_name) for s in self.statements
            ],
        }

    @staticmethod
    def _statement_json(result: StatementResult, vault_name: str) -> dict[str, object]:
        shown = result.component.replace(".", " ", 1)
        outcome = f"[{'SUCCESS' if result.ok else 'FAILURE'}] {result.command} {shown}"
        body: dict[str, object] = {
            "vault": vault_name,
            "statement": result.number,
            "command": result.command,
            "component": result.component,
            "message": outcome if result.affected else f"{outcome}: nothing to do",
            "response": "SUCCESS" if result.ok else "FAILURE",
        }
        if not result.ok:
            context = f"{result.command} {shown}"
            error = {
                "line": result.line,
                "message": result.message,
                "context": context,
                "code": result.code,
            }
            body["errors"] = [error]
        return body


def refused(
    number: int, statement: Statement, code: str, message: str
) -> StatementResult:
    """The result of a statement of which nothing was done."""
    name = f"{statement.type}.{statement.name}"
    return StatementResult(
        number, statement.command, name, statement.line, code, message
    )
