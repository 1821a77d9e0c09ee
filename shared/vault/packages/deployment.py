"""Deploys a package: plans its steps, and carries all of them out inside one transaction, with a log of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, NoReturn, assert_never

from shared.vault.components.mdl_writing import render
from shared.vault.components.ordering import in_order
from shared.vault.components.statement import Command, Statement
from shared.vault.errors import VaultFault
from shared.vault.packages.package_model import (
    ComponentStep,
    DataAction,
    DataStep,
    Package,
    Step,
)
from shared.vault.records.rows import MAX_ROWS, WriteMode

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.records.record_service import RecordService
    from shared.vault.records.rows import RowResult

# The data log has a line for each of them.
MAX_LOGGED_ERRORS = 20
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
    """Return what to do, in order; a component whose references come later in the package is begun without them.

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
    """Return whether a step has its component whole, and so can be reordered."""
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


class StepStatus(StrEnum):
    """Values of ``deployment_status__v`` of a step."""

    DEPLOYED = "deployed__v"
    DEPLOYED_WITH_WARNINGS = "deployed_with_warnings__v"
    FAILED = "error__v"
    NOT_DEPLOYED = "not_deployed__v"  # undone, or not come to
    SKIPPED = "skipped__v"

    @property
    def deployed(self) -> bool:
        """Return whether the step's changes are in the Vault unless the whole package is undone."""
        match self:
            case StepStatus.DEPLOYED | StepStatus.DEPLOYED_WITH_WARNINGS:
                return True
            case StepStatus.FAILED | StepStatus.NOT_DEPLOYED | StepStatus.SKIPPED:
                return False
            case _:
                assert_never(self)


@dataclass(slots=True)
class StepOutcome:
    """The result of one step; ``rows`` are the results of a data step's rows in the order of its file."""

    step: Step
    status: StepStatus = StepStatus.NOT_DEPLOYED
    lines: list[str] = field(default_factory=list)
    rows: list[RowResult] = field(default_factory=list)


class DeploymentFailed(Exception):
    """A step was refused: the transaction must be undone."""


class Deployment:
    """Carries out one package; ``outcomes`` say how far it has come.

    ``missing`` says, by the identity of the step, what blocks it without keeping its component from being stored.
    """

    def __init__(
        self, package: Package, missing: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self.package = package
        self._missing = missing or {}
        self.outcomes: Sequence[StepOutcome] = [
            StepOutcome(step) for step in package.steps
        ]
        self._by_step = {outcome.step.identity: outcome for outcome in self.outcomes}

    async def carry_out(
        self,
        caller: Caller,
        components: ComponentService,
        records: RecordService,
    ) -> None:
        """Deploy every step by services that work within one transaction.

        :raises DeploymentFailed: at the first step that is refused; its outcome says why.
        """
        # Known beforehand: nothing is carried out that would be undone for sure.
        for outcome in self.outcomes:
            if outcome.step.error:
                self._fail(outcome, outcome.step.error)
        present = components.registry.components.keys()
        for action in actions(self.package.steps, present):
            outcome = self._by_step[action.step.identity]
            if isinstance(action.step, DataStep):
                await self._save(
                    caller,
                    records,
                    action.step,
                    outcome,
                )
            else:
                await self._execute(
                    caller,
                    components,
                    action,
                    outcome,
                )

    def undone(self) -> None:
        """Note that what was deployed before the failure has been undone."""
        for outcome in self.outcomes:
            if outcome.status.deployed:
                outcome.status = StepStatus.NOT_DEPLOYED
                line = "Undone, because another step of the package failed"
                outcome.lines.append(line)

    async def _execute(
        self,
        caller: Caller,
        components: ComponentService,
        action: Action,
        outcome: StepOutcome,
    ) -> None:
        try:
            script = await components.execute(caller, _text(action))
        except VaultFault as fault:
            self._fail(outcome, fault.error.message)
        warnings: list[str] = []
        for result in script.statements:
            shown = f"{result.command} {result.component}"
            if not result.ok:
                self._fail(outcome, f"{shown}: {result.message} [{result.code}]")
            # A component that waits for later steps is begun here, and completed after them.
            begun = f"{shown}, without what refers to later steps"
            outcome.lines.append(shown if action.last else begun)
            warnings += result.warnings
        if action.last:
            warnings += self._missing.get(action.step.identity, ())
            outcome.lines += [f"Warning: {warning}" for warning in warnings]
            warned = StepStatus.DEPLOYED_WITH_WARNINGS
            outcome.status = warned if warnings else StepStatus.DEPLOYED

    async def _save(
        self,
        caller: Caller,
        records: RecordService,
        step: DataStep,
        outcome: StepOutcome,
    ) -> None:
        try:
            # The write path takes so many rows at once; all batches are in the deployment's
            # transaction.
            for start in range(0, len(step.rows), MAX_ROWS):
                rows = step.batch(start, MAX_ROWS)
                outcome.rows += await _write(
                    caller,
                    records,
                    step,
                    rows,
                )
        except VaultFault as fault:
            self._fail(outcome, fault.error.message)
        count = len(outcome.rows)
        numbered = enumerate(outcome.rows, 1)
        failed = [(number, row) for number, row in numbered if row.errors]
        for number, row in failed[:MAX_LOGGED_ERRORS]:
            error = row.errors[0]
            outcome.lines.append(f"Record {number}: {error.type}: {error.message}")
        if failed:
            self._fail(outcome, f"{len(failed)} of {count} records were refused")
        outcome.lines.append(f"{step.action} {step.object_name}: {count} records")
        outcome.status = StepStatus.DEPLOYED

    @staticmethod
    def _fail(outcome: StepOutcome, reason: str) -> NoReturn:
        outcome.status = StepStatus.FAILED
        outcome.lines.append(f"Failed: {reason}")
        raise DeploymentFailed(reason)


def _text(action: Action) -> str:
    """Return the statement as the package has it, or rendered where the plan has changed it."""
    step, statement = action.step, action.statement
    if not isinstance(step, ComponentStep):
        raise TypeError(step)
    if statement is None or statement.component is None or statement == step.statement:
        return step.mdl
    return render(statement.component)


async def _write(
    caller: Caller,
    records: RecordService,
    step: DataStep,
    rows: list[dict[str, object]],
) -> list[RowResult]:
    name = step.object_name
    key = step.id_param
    mode = WriteMode(migration=step.migration_mode)
    match step.action:
        case DataAction.CREATE:
            return await records.create(
                caller,
                name,
                rows,
                mode=mode,
            )
        case DataAction.UPDATE:
            return await records.update(
                caller,
                name,
                rows,
                key,
                mode=mode,
            )
        case DataAction.UPSERT:
            return await records.upsert(
                caller,
                name,
                rows,
                key or "id",
                mode=mode,
            )
        case DataAction.DELETE:
            return await records.delete(
                caller,
                name,
                rows,
                key,
                mode=mode,
            )
        case _:
            assert_never(step.action)
