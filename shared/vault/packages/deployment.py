"""Deploys a package: plans its steps, and carries all of them out inside one transaction, with a log of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, NoReturn

from shared.vault.components.mdl import render
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


if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.records.record_service import RecordService
    from shared.vault.records.rows import RowResult

MAX_LOGGED_ERRORS = 20


class StepStatus(StrEnum):
    """Values of ``deployment_status__v`` of a step."""

    DEPLOYED = "deployed__v"
    DEPLOYED_WITH_WARNINGS = "deployed_with_warnings__v"
    FAILED = "error__v"
    NOT_DEPLOYED = "not_deployed__v"  # undone, or not come to
    SKIPPED = "skipped__v"


@dataclass(slots=True)
class StepOutcome:
    """What one step came to; ``rows`` are the results of a data step's rows in the order of its file."""

    step: Step
    status: StepStatus = StepStatus.NOT_DEPLOYED
    lines: list[str] = field(default_factory=list)
    rows: list[RowResult] = field(default_factory=list)


class DeploymentFailed(Exception):
    """A step was refused: the transaction must be undone."""


class Deployment:
    """One package on its way into a Vault; ``outcomes`` tell how far it has come."""

    def __init__(self, package: Package) -> None:
        self.package = package
        self.outcomes: Sequence[StepOutcome] = [
            StepOutcome(step) for step in package.steps
        ]
        self._by_step = {outcome.step.identity: outcome for outcome in self.outcomes}

    async def carry_out(
        self, caller: Caller, components: ComponentService, records: RecordService
    ) -> None:
        """Deploy every step by services that work within one transaction.

        :raises DeploymentFailed: at the first step that is refused; its outcome says why.
        """
        for outcome in self.outcomes:
            if outcome.step.error:
                self._fail(outcome, outcome.step.error)
        for action in actions(
            self.package.steps, components.registry.components.keys()
        ):
            outcome = self._by_step[action.step.identity]
            if isinstance(action.step, DataStep):
                await self._save(caller, records, action.step, outcome)
            else:
                await self._execute(caller, components, action, outcome)

    def undone(self) -> None:
        """Note that what was deployed before the failure has been undone."""
        for outcome in self.outcomes:
            if outcome.status in (
                StepStatus.DEPLOYED,
                StepStatus.DEPLOYED_WITH_WARNINGS,
            ):
                outcome.status = StepStatus.NOT_DEPLOYED
                outcome.lines.append(
                    "Undone, because another step of the package failed"
                )

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
        for result in script.statements:
            shown = f"{result.command} {result.component}"
            if not result.ok:
                self._fail(outcome, f"{shown}: {result.message} [{result.code}]")
            outcome.lines.append(
                shown if action.last else f"{shown}, without what refers to later steps"
            )
        if action.last:
            outcome.status = StepStatus.DEPLOYED

    async def _save(
        self,
        caller: Caller,
        records: RecordService,
        step: DataStep,
        outcome: StepOutcome,
    ) -> None:
        try:
            for start in range(0, len(step.rows), MAX_ROWS):
                outcome.rows += await _write(
                    caller, records, step, step.batch(start, MAX_ROWS)
                )
        except VaultFault as fault:
            self._fail(outcome, fault.error.message)
        failed = [
            (number, row) for number, row in enumerate(outcome.rows, 1) if row.errors
        ]
        for number, row in failed[:MAX_LOGGED_ERRORS]:
            outcome.lines.append(
                f"Record {number}: {row.errors[0].type}: {row.errors[0].message}"
            )
        if failed:
            self._fail(
                outcome, f"{len(failed)} of {len(outcome.rows)} records were refused"
            )
        outcome.lines.append(
            f"{step.action} {step.object_name}: {len(outcome.rows)} records"
        )
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
    mode = WriteMode(migration=step.migration_mode)
    match step.action:
        case DataAction.CREATE:
            return await records.create(caller, step.object_name, rows, mode=mode)
        case DataAction.UPDATE:
            return await records.update(
                caller, step.object_name, rows, step.id_param, mode=mode
            )
        case DataAction.UPSERT:
            return await records.upsert(
                caller, step.object_name, rows, step.id_param or "id", mode=mode
            )
        case DataAction.DELETE:
            return await records.delete(
                caller, step.object_name, rows, step.id_param, mode=mode
            )
