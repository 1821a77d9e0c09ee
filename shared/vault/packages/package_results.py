"""Stores the results of validating and deploying a package: its status, its documents, its logs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from shared.vault.packages.deployment import Deployment, StepStatus
from shared.vault.packages.package_model import Package, PackageStatus
from shared.vault.packages.package_reports import (
    data_log,
    deployment_document,
    deployment_log,
    validation_log,
)
from shared.vault.packages.package_validation import Validation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.vault.jobs.job_logs import JobLog
    from shared.vault.packages.package_table import PackageTable
    from shared.vault.storage.database import Connection

VALIDATION_LOG = "Validation.log"
DEPLOYMENT_LOG = "Deployment.log"
DATA_LOG = "Data.csv"

_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")


async def log_validation(
    table: PackageTable,
    connection: Connection,
    package_id: str,
    package: Package,
    validation: Validation,
) -> None:
    """Write the log of a validation, replacing an earlier one."""
    text = validation_log(package, validation)
    name = _log_name(package, VALIDATION_LOG)
    await table.write_log(connection, package_id, name, "validation", text)


async def store_deployment(
    table: PackageTable,
    connection: Connection,
    package_id: str,
    deployment: Deployment,
    status: PackageStatus,
    rows_log: JobLog | None,
) -> None:
    """Store the results of a deployment and its logs, replacing those of an earlier one.

    ``rows_log`` is the job's log of a deployment in slices: its lines become the package's data log.
    """
    document = deployment_document(deployment, package_id, status)
    await table.set_deployment(connection, package_id, document)
    text = deployment_log(deployment, status)
    name = _log_name(deployment.package, DEPLOYMENT_LOG)
    await table.write_log(connection, package_id, name, "deployment", text)
    name = _log_name(deployment.package, DATA_LOG)
    if rows_log is not None:
        await table.move_log(connection, package_id, name, "data", rows_log)
        return
    rows = data_log(deployment.outcomes)
    if rows is not None:
        await table.write_log(connection, package_id, name, "data", rows)


def record_values(
    package: Package,
    validation: Validation,
    file_name: str,
) -> Mapping[str, object]:
    """Return the values of an imported package's record, cut to the lengths of its fields."""
    return {
        # Cut to the lengths that the fields of the record have.
        "name__v": package.name[:128],
        "summary__v": package.summary,
        "description__v": package.description,
        "author__v": package.author[:255],
        "source_vault__v": package.source_vault[:100],
        "file_name__v": file_name,
        "package_status__v": status_after_validation(validation),
    }


def _log_name(package: Package, kind: str) -> str:
    """Return the file name of a log, of characters that need no escaping in a path."""
    name = _UNSAFE.sub("_", package.name)[:100]
    return f"{name}-{kind}"


def status_after_validation(validation: Validation) -> PackageStatus:
    """Return the status of a package that has been validated, and not deployed."""
    return PackageStatus.BLOCKED if validation.blocked else PackageStatus.VERIFIED


def status_after_deployment(deployment: Deployment) -> PackageStatus:
    """Return the status of a package of which every step has been carried out."""
    statuses = {outcome.status for outcome in deployment.outcomes}
    # Code in the package has been skipped, which its sender may not expect.
    if StepStatus.DEPLOYED_WITH_WARNINGS in statuses or deployment.package.code:
        return PackageStatus.DEPLOYED_WITH_WARNINGS
    return PackageStatus.DEPLOYED
