"""Plans the actions for the steps of a package: their stages, and their order within a stage."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from shared.vault.components.component_tree import Component
from shared.vault.components.ordering import in_order
from shared.vault.components.statement import Command, Statement
from shared.vault.components.types import COMPONENT_TYPES
from shared.vault.components.uses import Dependency, dependencies_of
from shared.vault.packages.package_model import ComponentStep, DataStep, Step

WHOLE = (Command.CREATE, Command.RECREATE)


@dataclass(frozen=True, slots=True)
class Action:
    """One action for a step: a statement, or a data step's rows; ``last`` is True if it completes the step."""

    step: Step
    statement: Statement | None = None
    last: bool = True


def actions(
    steps: Sequence[Step], present: Collection[tuple[str, str]]
) -> list[Action]:
    """Return the actions in order.

    A component whose references come later in the package is first created without them.

    A component that earlier steps need, and that the package creates only after a change of another component, is
    created before that change. Only steps without an ``error`` are planned. ``present`` are the components that the
    Vault has.
    """
    known = set(present)
    planned: list[Action] = []
    # Components created one after the other may be reordered; what stands between them may depend on their order.
    run: list[ComponentStep] = []
    left = deque(step for step in steps if not step.error)
    while left:
        step = left.popleft()
        component_step = step if isinstance(step, ComponentStep) else None
        whole = component_step if component_step and _is_whole(component_step) else None
        if whole and all(other.key != whole.key for other in run):
            run.append(whole)
            continue
        if component_step:
            ahead = _needed_ahead(run, left, known)
            run += ahead
            left = deque(other for other in left if other not in ahead)
        planned += _ordered(run, known)
        run = [whole] if whole else []
        if not whole:
            statement = component_step.statement if component_step else None
            planned.append(Action(step, statement))
    planned += _ordered(run, known)
    return planned


def blocks(component: Component, dependency: Dependency) -> bool:
    """Return whether the Vault would refuse the component if this dependency were missing."""
    # What a Vault keeps without acting on it may name what is not there.
    return is_acted_on(component.type) and is_acted_on(dependency.type)


def is_acted_on(type_name: str) -> bool:
    """Return whether components of this type have an effect here, rather than being stored only."""
    kind = COMPONENT_TYPES.get(type_name)
    return kind is not None and not kind.stored_only


def _is_whole(step: ComponentStep) -> bool:
    """Return whether a step defines its component completely, and so can be reordered."""
    return step.statement is not None and step.statement.command in WHOLE


def _needed_ahead(
    run: Sequence[ComponentStep],
    following: Iterable[Step],
    known: Collection[tuple[str, str]],
) -> list[ComponentStep]:
    """Return the steps in ``following``, up to the next data step, that create what a run of steps needs."""
    creating: dict[tuple[str, str], ComponentStep] = {}
    for step in takewhile(lambda each: isinstance(each, ComponentStep), following):
        if isinstance(step, ComponentStep) and _is_whole(step):
            creating.setdefault(step.key, step)
    there = {*known, *(step.key for step in run)}
    needed: list[ComponentStep] = []
    waiting = deque(run)
    while waiting:
        for key in _blocking(waiting.popleft()):
            creator = creating.get(key)
            if creator is not None and key not in there:
                there.add(key)
                needed.append(creator)
                waiting.append(creator)
    return needed


def _blocking(step: ComponentStep) -> Iterator[tuple[str, str]]:
    """Yield the keys of the components without which the Vault would refuse a step's component."""
    component = step.statement.component if step.statement else None
    if component is None:
        return
    for dependency in dependencies_of(component):
        if blocks(component, dependency):
            yield dependency.key


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
    """Return the steps in groups: consecutive components are one group, each data step is a group of its own."""
    grouped: list[list[Step]] = []
    for step in steps:
        begins = isinstance(step, DataStep) or not grouped
        if begins or isinstance(grouped[-1][-1], DataStep):
            grouped.append([])
        grouped[-1].append(step)
    return [tuple(group) for group in grouped]
