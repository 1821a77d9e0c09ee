"""Plans the actions for the steps of a package: in which stages, and in which order within one."""

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
    """One action for a step: a statement, or a data step's rows; ``last`` when it completes the step."""

    step: Step
    statement: Statement | None = None
    last: bool = True


def actions(
    steps: Sequence[Step], present: Collection[tuple[str, str]]
) -> list[Action]:
    """Return the actions in order.

    A component whose references come later in the package is first created without them.

    Only steps without an ``error`` are planned. ``present`` are the components that the Vault has.
    """
    known = set(present)
    planned: list[Action] = []
    # Components created one after the other may be reordered; what stands between them may depend on their order.
    run: list[ComponentStep] = []
    for step in steps:
        if step.error:
            continue
        if isinstance(step, ComponentStep) and _is_whole(step):
            if any(other.key == step.key for other in run):
                planned += _ordered(run, known)
                run = []
            run.append(step)
            continue
        planned += _ordered(run, known)
        run = []
        statement = None if isinstance(step, DataStep) else step.statement
        planned.append(Action(step, statement))
    planned += _ordered(run, known)
    return planned


def _is_whole(step: ComponentStep) -> bool:
    """Return whether a step defines its component completely, and so can be reordered."""
    return step.statement is not None and step.statement.command in WHOLE


def _ordered(
    run: Sequence[ComponentStep],
    known: set[tuple[str, str]],
) -> Iterator[Action]:
    """Yield the actions of a run of steps, and add their components to ``known``."""
    steps: dict[tuple[str, str], tuple[ComponentStep, Statement]] = {}
    components = []
    for step in run:
        statement = step.statement
        if statement is not None and statement.component is not None:
            steps[step.key] = (step, statement)
            components.append(statement.component)
    ordered = in_order(components, known)
    known.update(step.key for step in run)
    left = Counter(component.key for component in ordered)
    begun: set[tuple[str, str]] = set()
    for component in ordered:
        step, written = steps[component.key]
        left[component.key] -= 1
        # The second time the component exists: CREATE would refuse it.
        command = Command.RECREATE if component.key in begun else written.command
        begun.add(component.key)
        statement = replace(written, command=command, component=component)
        yield Action(step, statement, last=not left[component.key])


def stages(steps: Sequence[Step]) -> list[Sequence[Step]]:
    """Return the steps in groups: consecutive components are one group, and each data step is one."""
    grouped: list[list[Step]] = []
    for step in steps:
        begins = isinstance(step, DataStep) or not grouped
        if begins or isinstance(grouped[-1][-1], DataStep):
            grouped.append([])
        grouped[-1].append(step)
    return [tuple(group) for group in grouped]
