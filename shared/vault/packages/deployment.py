"""Deploys the steps of a package within transactions of its caller, and records the outcome of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NoReturn, assert_never

from shared.vault.components.mdl_writing import render
from shared.vault.errors import VaultFault
from shared.vault.packages.deployment_plan import Action, actions, stages
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
    """The outcome of one step. Of a data step, ``done`` rows were written or refused, ``failed`` of them refused.

    ``rows`` are the results of its rows in the order of its file if the package is one transaction, else empty,
    since the job's log has them already.
    """

    step: Step
    status: StepStatus = StepStatus.NOT_DEPLOYED
    lines: list[str] = field(default_factory=list)
    done: int = 0
    failed: int = 0
    rows: list[RowResult] = field(default_factory=list)

    def add(self, results: Sequence[RowResult]) -> None:
        """Count the results of the next rows, and log the first errors."""
        for number, row in enumerate(results, self.done + 1):
            if not row.errors:
                continue
            self.failed += 1
            if self.failed <= MAX_LOGGED_ERRORS:
                error = row.errors[0]
                self.lines.append(f"Record {number}: {error.type}: {error.message}")
        self.done += len(results)

    def to_json(self) -> dict[str, object]:
        """Return the outcome without the rows, as a checkpoint stores it."""
        return {
            "status": self.status,
            "lines": list(self.lines),
            "done": self.done,
            "failed": self.failed,
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Set the outcome to that of a checkpoint."""
        self.status = StepStatus(saved["status"])
        self.lines = list(saved["lines"])
        self.done = saved["done"]
        self.failed = saved["failed"]


class DeploymentFailed(Exception):
    """Raised when a step was refused: its transaction must be undone."""


class Deployment:
    """The deployment of one package; ``outcomes`` are its progress.

    ``missing`` maps the identity of a step to the reasons that block the step although its component can be stored.
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

    @property
    def is_whole(self) -> bool:
        """Return whether the package is one transaction: whether it has no more rows than one call takes."""
        steps = self.package.steps
        rows = sum(step.count for step in steps if isinstance(step, DataStep))
        return rows <= MAX_ROWS

    def outcome(self, step: Step) -> StepOutcome:
        """Return the outcome of a step so far."""
        return self._by_step[step.identity]

    def refuse_known(self) -> None:
        """Refuse a package with a step that can never be deployed, before anything is carried out.

        :raises DeploymentFailed: when there is such a step; its outcome has the reason.
        """
        for outcome in self.outcomes:
            if outcome.step.error:
                fail(outcome, outcome.step.error)

    async def carry_out(
        self,
        caller: Caller,
        components: ComponentService,
        records: RecordService,
    ) -> None:
        """Deploy every step by services that work within one transaction.

        :raises DeploymentFailed: at the first step that is refused; its outcome has the reason.
        """
        self.refuse_known()
        for stage in stages(self.package.steps):
            step = stage[0]
            if isinstance(step, DataStep):
                await self._save(caller, records, step)
            else:
                await self.execute(caller, components, stage)

    async def execute(
        self,
        caller: Caller,
        components: ComponentService,
        steps: Sequence[Step],
    ) -> None:
        """Deploy consecutive component steps, by a service that works within one transaction.

        :raises DeploymentFailed: as ``carry_out`` does.
        """
        present = components.registry.components.keys()
        for action in actions(steps, present):
            await self._execute_one(caller, components, action)

    def begin(self, steps: Sequence[Step]) -> None:
        """Reset the outcomes of steps whose transaction is started again."""
        for step in steps:
            self.outcome(step).restore(StepOutcome(step).to_json())

    def undone(self, steps: Sequence[Step]) -> None:
        """Mark these steps as not deployed, since another step failed and their transaction was rolled back."""
        for outcome in map(self.outcome, steps):
            if outcome.status.deployed:
                outcome.status = StepStatus.NOT_DEPLOYED
                line = "Undone, because another step of the package failed"
                outcome.lines.append(line)

    async def _execute_one(
        self,
        caller: Caller,
        components: ComponentService,
        action: Action,
    ) -> None:
        outcome = self.outcome(action.step)
        try:
            script = await components.execute(caller, _text(action))
        except VaultFault as fault:
            fail(outcome, fault.error.message)
        warnings: list[str] = []
        for result in script.statements:
            shown = f"{result.command} {result.component}"
            if not result.ok:
                fail(outcome, f"{shown}: {result.message} [{result.code}]")
            # A component that waits for later steps is begun here, and completed after them.
            begun = f"{shown}, without its references to later steps"
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
    ) -> None:
        outcome = self.outcome(step)
        rows = list(step.rows())
        try:
            if rows:
                outcome.rows = await write_rows(caller, records, step, rows)
        except VaultFault as fault:
            fail(outcome, fault.error.message)
        outcome.add(outcome.rows)
        conclude_rows(outcome, step)


def conclude_rows(outcome: StepOutcome, step: DataStep) -> None:
    """Conclude a data step of which all rows have been written or refused.

    :raises DeploymentFailed: rows were refused.
    """
    if outcome.failed:
        fail(outcome, f"{outcome.failed} of {outcome.done} records were refused")
    outcome.lines.append(f"{step.action} {step.object_name}: {outcome.done} records")
    outcome.status = StepStatus.DEPLOYED


def fail(outcome: StepOutcome, reason: str) -> NoReturn:
    """Mark a step as refused, with the reason.

    :raises DeploymentFailed: always.
    """
    outcome.status = StepStatus.FAILED
    outcome.lines.append(f"Failed: {reason}")
    raise DeploymentFailed(reason)


def _text(action: Action) -> str:
    """Return the MDL of an action: as the package has it, or rendered if the plan has changed the statement."""
    step, statement = action.step, action.statement
    if not isinstance(step, ComponentStep):
        raise TypeError(step)
    if statement is None or statement.component is None or statement == step.statement:
        return step.mdl
    return render(statement.component)


async def write_rows(
    caller: Caller,
    records: RecordService,
    step: DataStep,
    rows: list[dict[str, object]],
) -> list[RowResult]:
    """Write rows of a data step, at most 500, as its action says, and return their results in input order.

    :raises VaultFault: for the rows as a whole.
    """
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
