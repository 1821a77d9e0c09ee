"""The jobs of packages: import, deploy, export; each tells where its outcome is found."""

from __future__ import annotations

from shared.vault.jobs.job_model import JobContext, JobResult, JobStatus, JobType
from shared.vault.packages.inbound_packages import DEPLOY, IMPORT
from shared.vault.packages.outbound_packages import EXPORT
from shared.vault.packages.package_model import PACKAGE, PackageStatus

ARTIFACTS = "artifacts"
"""Member of a job's results: paths below ``/api/{version}`` that its status links to."""


async def _import(context: JobContext) -> JobResult:
    package_id = await context.vault.inbound_packages.import_file(context)
    return _result(
        package_id, f"/vobject/{PACKAGE}/{package_id}/actions/import/results"
    )


async def _deploy(context: JobContext) -> JobResult:
    status = await context.vault.inbound_packages.deploy(context)
    package_id = str(context.parameters["package_id"])
    ended = (
        JobStatus.ERRORS_ENCOUNTERED
        if status is PackageStatus.ERROR
        else JobStatus.SUCCESS
    )
    return _result(
        package_id, f"/vobject/{PACKAGE}/{package_id}/actions/deploy/results", ended
    )


async def _export(context: JobContext) -> JobResult:
    package_id = await context.vault.outbound_packages.export(context)
    return _result(package_id, f"/services/package/{package_id}/content")


def _result(
    package_id: str, artifact: str, status: JobStatus = JobStatus.SUCCESS
) -> JobResult:
    return JobResult(status, {"package_id": package_id, ARTIFACTS: [artifact]})


JOBS = {IMPORT: JobType(_import), DEPLOY: JobType(_deploy), EXPORT: JobType(_export)}
