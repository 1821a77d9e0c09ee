"""Reports validation and deployment of a package, as JSON of the API and as logs."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from shared.protocol.csv_cells import exact_csv_text
from shared.protocol.error_types import ErrorType
from shared.vault.errors import ApiError, bounded_errors
from shared.vault.packages.deployment import Deployment, StepOutcome, StepStatus
from shared.vault.packages.package_model import ComponentStep, DataStep, Package, Step
from shared.vault.packages.package_validation import StepValidation, Validation

if TYPE_CHECKING:
    from shared.vault.records.rows import RowResult

Document = dict[str, object]
UNDONE = ApiError(
    ErrorType.OPERATION_NOT_ALLOWED,
    "Not saved: other records of the step were refused, and it is saved as a whole",
)
NO_ID = "N/A"
CODE = "javasdk"
TIME = "%m:%d:%Y %H:%M:%S"
DATA_LOG_HEADER = exact_csv_text(
    [("step", "rowId", "responseStatus", "id", "event", "errors")]
)


def validation_document(
    package: Package,
    validation: Validation,
    started: datetime,
    package_id: str | None = None,
) -> Document:
    """Return ``responseDetails`` of a validation; steps have ids only when the package is imported."""
    blocked = validation.blocked
    count = (
        "total_steps_blocked" if package_id is None else "total_component_steps_blocked"
    )
    return {
        "summary": package.summary,
        "author": package.author,
        "package_name": package.name,
        "package_id": package_id or NO_ID,
        "source_vault": package.source_vault,
        "package_status": "Blocked" if blocked else "Verified",
        "total_steps": _total(package),
        count: blocked,
        "start_time": started.strftime(TIME),
        "end_time": datetime.now(UTC).strftime(TIME),
        "package_error": "; ".join(
            f"{s.step.number}: {s.errors[0]}" for s in validation.steps if s.errors
        )[:2000],
        "package_steps": [
            *(_validated_step(s, package_id) for s in validation.steps),
            *_validated_code(package),
        ],
    }


def validation_log(
    package: Package,
    validation: Validation,
) -> str:
    """Return the log of a validation, a few lines for each step."""
    lines = [
        f"Package {package.name}: {len(package.steps)} steps, {validation.blocked} blocked"
    ]
    for step in validation.steps:
        lines.append(
            f"{_title(step.step)}: {'Blocked' if step.blocked else 'Verified'}, {step.action}"
        )
        lines += [
            f"    {dependency.type} {dependency.name}: {status}"
            for dependency, status in step.dependencies
        ]
        lines += [f"    {error}" for error in step.errors]
    lines += [f"{path}: skipped, code is not run here" for path in package.code]
    return "\n".join(lines) + "\n"


def deployment_document(
    deployment: Deployment,
    package_id: str,
    package_status: str,
) -> Document:
    """Return a deployment's results: ``details``, which is ``responseDetails`` without logs, and ``package_steps``."""
    package = deployment.package
    counts = Counter(outcome.status for outcome in deployment.outcomes)
    details: Document = {
        "total_steps": _total(package),
        "deployed": counts[StepStatus.DEPLOYED],
        "deployed_with_warnings": counts[StepStatus.DEPLOYED_WITH_WARNINGS],
        # A step with refused rows counts as failed, also where its other rows are saved.
        "deployed_with_failures": 0,
        "deployed_with_error": 0,
        "failed": counts[StepStatus.FAILED],
        "skipped": counts[StepStatus.NOT_DEPLOYED] + bool(package.code),
        "package_status__v": package_status,
    }
    steps = [_deployed_step(outcome, package_id) for outcome in deployment.outcomes]
    return {
        "details": details,
        "package_steps": [*steps, *_deployed_code(package, package_id)],
    }


def deployment_log(
    deployment: Deployment,
    package_status: str,
) -> str:
    """Return the log of a deployment, a few lines for each step."""
    lines = [f"Package {deployment.package.name}: {package_status}"]
    for outcome in deployment.outcomes:
        lines.append(f"{_title(outcome.step)}: {outcome.status}")
        lines += [f"    {line}" for line in outcome.lines]
    lines += [
        f"Warning: {path}: skipped, code is not run here"
        for path in deployment.package.code
    ]
    return "\n".join(lines) + "\n"


def data_log(outcomes: Sequence[StepOutcome]) -> str | None:
    """Return a CSV line for each row of the data steps, without the values; None when there are no data steps."""
    steps = [outcome for outcome in outcomes if isinstance(outcome.step, DataStep)]
    if not steps:
        return None
    parts = [
        data_log_lines(outcome.step, outcome.rows, 1, saved=outcome.status.deployed)
        for outcome in steps
    ]
    return DATA_LOG_HEADER + "".join(parts)


def data_log_lines(
    step: Step,
    rows: Sequence[RowResult],
    first: int,
    *,
    saved: bool,
) -> str:
    """Return the CSV lines of a data step's rows, the first of which has the number ``first``.

    ``saved`` is False when the rows that were accepted have been rolled back.
    """
    lines: list[Sequence[object]] = []
    for number, row in enumerate(rows, first):
        # Without its neighbours a row was not saved, and the id that it had leads nowhere.
        undone = not saved and not row.errors
        shown_errors = (UNDONE,) if undone else bounded_errors(row.errors)
        errors = "\n".join(f"{error.type}|{error.message}" for error in shown_errors)
        status = "FAILURE" if shown_errors else "SUCCESS"
        record_id = row.id if saved else ""
        event = "" if undone else row.event or ""
        line = (step.identity, number, status, record_id, event, errors)
        lines.append(line)
    return exact_csv_text(lines)


def _validated_step(
    validated: StepValidation,
    package_id: str | None,
) -> Document:
    step = validated.step
    document: Document = {}
    if package_id is not None:
        document["id"] = _step_id("0IS", package_id, step.identity)
    dependencies = [
        {
            "component_name": dependency.name,
            "component_type": dependency.type,
            "subcomponent_name": dependency.subname,
            "subcomponent_type": dependency.subtype,
            "status": status,
        }
        for dependency, status in validated.dependencies
    ]
    return document | {
        "name__v": step.number,
        "step_type__v": _type(step),
        "step_label__v": step.label,
        "step_name__v": _name(step),
        "type__v": _component_type(step),
        "deployment_status__v": "Blocked" if validated.blocked else "Verified",
        "deployment_action": validated.action,
        "dependencies": dependencies,
    }


def _deployed_step(
    outcome: StepOutcome,
    package_id: str,
) -> Document:
    step = outcome.step
    return {
        "id": _step_id("0IS", package_id, step.identity),
        "name__v": step.number,
        "step_type__v": _type(step),
        "step_name__v": _name(step),
        "type__v": _component_type(step),
        "deployment_status__v": outcome.status,
        "step_label__v": step.label,
        "package_components": [_component(step, package_id)]
        if isinstance(step, ComponentStep)
        else [],
        "package_data": [_data(step, package_id)] if isinstance(step, DataStep) else [],
        "package_code": [],
    }


def _component(
    step: ComponentStep,
    package_id: str,
) -> Document:
    return {
        "id": _step_id("0PC", package_id, step.identity),
        "name__v": step.label,
        "component_name__v": step.name,
        "component_type__v": step.type,
        "checksum__v": step.checksum,
    }


def _data(step: DataStep, package_id: str) -> Document:
    return {
        "id": _step_id("0PT", package_id, step.identity),
        "name__v": step.name,
        "object__v": step.object_name,
        "data_type__v": "Object",
        "data_action__v": step.action,
        "record_migration_mode__sys": step.migration_mode,
        "record_count__sys": str(step.count),
        "checksum__v": step.checksum,
    }


def _total(package: Package) -> int:
    """Return the number of a package's steps; all code of the package counts as one step, the last."""
    # True counts as one.
    return len(package.steps) + bool(package.code)


def _code(package: Package) -> Document:
    return {
        "name__v": CODE,
        "step_type__v": "Code",
        "step_label__v": f"Java SDK code, {len(package.code)} files",
        "step_name__v": CODE,
        "type__v": "Code",
        "deployment_status__v": StepStatus.SKIPPED,
    }


def _validated_code(package: Package) -> list[Document]:
    if not package.code:
        return []
    document = {
        "deployment_action": "Skip",
        "warning": "Code is not run here: the step is skipped when the package is deployed",
        "dependencies": [],
    }
    return [_code(package) | document]


def _deployed_code(
    package: Package,
    package_id: str,
) -> list[Document]:
    files = [
        {"id": _step_id("0PK", package_id, path), "name__v": path}
        for path in package.code
    ]
    document = {
        "id": _step_id("0IS", package_id, CODE),
        "package_components": [],
        "package_data": [],
    }
    return [_code(package) | document | {"package_code": files}] if files else []


def _type(step: Step) -> str:
    if isinstance(step, ComponentStep):
        return "Component"
    return "Data"


def _name(step: Step) -> str:
    return step.name if isinstance(step, ComponentStep) else step.object_name


def _component_type(step: Step) -> str:
    if isinstance(step, ComponentStep):
        return step.type
    return "Object"


def _title(step: Step) -> str:
    return f"{step.number} {_component_type(step)} {_name(step)}"


def _step_id(
    prefix: str,
    package_id: str,
    identity: str,
) -> str:
    """Return the id of a step, which is not a record: it is always the same for the same step of a package."""
    name = f"{package_id}/{identity}"
    digest = hashlib.sha256(name.encode()).hexdigest()
    return prefix + digest[:12].upper()
