"""Computes the changes that each statement of an MDL script would make, and shows them for review."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.vault.access.configuration_reach import check_reach
from shared.vault.access.profiles import check_change
from shared.vault.admin.fault_pages import status_of
from shared.vault.admin.mdl_completion import COMMANDS, completion_of
from shared.vault.admin.page_context import PageContext, safe_target
from shared.vault.admin.rule_pages import difference_of
from shared.vault.components.component_errors import ComponentError
from shared.vault.components.evolution import Step, steps
from shared.vault.components.mdl_writing import render, render_statement
from shared.vault.components.permission_types import PERMISSION_SET, PROFILE
from shared.vault.components.types import COMPONENT_TYPES

if TYPE_CHECKING:
    from starlette.responses import Response

    from shared.vault.access.caller import Caller
    from shared.vault.components.component_tree import Component
    from shared.vault.components.registry import Registry
    from shared.vault.components.statement import Statement
    from shared.vault.configuration.scripts import StatementResult
    from shared.vault.errors import ApiError

MAX_EXPECTED = 100  # statements; each is checked against all components


@dataclass(frozen=True, slots=True)
class ExpectedResult:
    """The expected result of a statement.

    ``outcome`` is a word for the result, ``difference`` the changed lines of MDL as ``difference_of`` returns them.
    ``refusal`` is the reason why the statement would be refused, empty when it would not.
    """

    statement: Statement
    outcome: str
    difference: Sequence[tuple[str, str]] = ()
    refusal: str = ""


def expected_results(
    caller: Caller, registry: Registry, statements: Iterable[Statement]
) -> list[ExpectedResult]:
    """Return the results that statements would have one after the other, up to the first refused one.

    Stored records are not looked at: whether they prevent a change is known only when it is executed.
    """
    found: list[ExpectedResult] = []
    for statement in statements:
        try:
            taken = steps(statement, registry)
            for step in taken:
                _check_permission(caller, statement, step)
        except ComponentError as error:
            found.append(ExpectedResult(statement, "Refused", refusal=str(error)))
            break
        after = taken[-1].after if taken else registry
        found.append(_change(statement, registry, after))
        registry = after
    return found


def _check_permission(caller: Caller, statement: Statement, step: Step) -> None:
    """Check the caller's permission for a step, as the component store does.

    :raises ComponentError: NOT_PERMITTED.
    """
    if statement.type in (PERMISSION_SET, PROFILE):
        check_change(caller, step)
    check_reach(caller, step)


def _change(statement: Statement, before: Registry, after: Registry) -> ExpectedResult:
    """Return the change that a statement makes to its component."""
    key = statement.key
    renamed = (statement.type, statement.new_name or statement.name)
    old, new = before.components.get(key), after.components.get(renamed)
    difference = difference_of(_text(old), _text(new))
    if old is None and new is not None:
        return ExpectedResult(statement, "Created", difference)
    if new is None and old is not None:
        return ExpectedResult(statement, "Removed", difference)
    return ExpectedResult(statement, "Changed" if difference else "Nothing", difference)


def _text(component: Component | None) -> str:
    return "" if component is None else render(component)


def script_of(statements: Iterable[Statement]) -> str:
    """Return a script of these statements."""
    return "\n".join(map(render_statement, statements))


async def review(context: PageContext, text: str, back: str) -> Response:
    """Show the changes that a script would make, with the button that executes it; ``back`` is the page that follows.

    :raises VaultFault: as ``ComponentService.statements``.
    """
    statements = await context.vault.components.statements(context.caller, text)
    return await script_page(context, text, back, statements=statements)


async def script_page(
    context: PageContext,
    text: str,
    back: str,
    *,
    statements: Sequence[Statement] = (),
    results: Sequence[StatementResult] = (),
    error: ApiError | None = None,
) -> Response:
    """Show a script in its form: with the statements to review, with the results of its execution, or with an error.

    ``back`` is the address of the page that follows.
    """
    looked_at = statements[:MAX_EXPECTED]
    # Each is checked against all components, which takes long enough to keep other requests waiting.
    seen = await asyncio.to_thread(
        expected_results, context.caller, context.registry, looked_at
    )
    refused = any(each.refusal for each in seen)
    return context.page(
        "mdl.html",
        status_of(error) if error else 400 if results else 200,
        text=text,
        back=safe_target(back),
        expected_results=seen,
        unseen=list(statements[len(seen) :]),
        refused=refused,
        mark=digest_of(text) if statements and not refused else "",
        results=results,
        error=error,
        chosen=completion_of(context.form.fields),
        commands=COMMANDS,
        types=COMPONENT_TYPES.values(),
    )


def digest_of(text: str) -> str:
    """Return the digest by which the form shows that its script is the one that was reviewed."""
    return hashlib.sha256(text.encode()).hexdigest()
