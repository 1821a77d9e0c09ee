"""The statements that a package's component steps come to, in an order in which they can be carried out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from shared.vault.components.ordering import in_order
from shared.vault.components.statement import Command, Statement
from shared.vault.packages.package_model import ComponentStep, DataStep, Step

WHOLE = (Command.CREATE, Command.RECREATE)


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do for a step: a statement, or a data step's rows. ``last`` when the step is done with it."""

    step: Step
    statement: Statement | None = None
    last: bool = True


def actions(
    steps: Sequence[Step], present: Collection[tuple[str, str]]
) -> list[Action]:
    """What to do, in order; a component whose references come later in the package is begun without them.

    Only steps without an ``error`` are planned. ``present`` are the components that the Vault has.
    """
    known = set(present)
    planned: list[Action] = []
    run: list[ComponentStep] = []
    for step in steps:
        if step.error:
            continue
        if (
            isinstance(step, ComponentStep)
            and step.statement
            and step.statement.command in WHOLE
        ):
            if any(other.key == step.key for other in run):
                planned += _ordered(run, known)
                run = []
            run.append(step)
            continue
        planned += _ordered(run, known)
        run = []
        planned.append(
            Action(step, None if isinstance(step, DataStep) else step.statement)
        )
    return planned + list(_ordered(run, known))


def _ordered(
    run: Sequence[ComponentStep], known: set[tuple[str, str]]
) -> Iterator[Action]:
    steps = {step.key: step for step in run}
    ordered = in_order(
        [s.statement.component for s in run if s.statement and s.statement.component],
        known,
    )
    known |= set(steps)
    left = Counter(component.key for component in ordered)
    begun: set[tuple[str, str]] = set()
    for component in ordered:
        step = steps[component.key]
        written = step.statement
        if written is None:
            continue
        left[component.key] -= 1
        command = Command.RECREATE if component.key in begun else written.command
        begun.add(component.key)
        statement = replace(written, command=command, component=component)
        yield Action(step, statement, last=not left[component.key])
