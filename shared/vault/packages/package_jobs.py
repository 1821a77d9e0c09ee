"""Carries out the jobs of packages: import, deploy, export; each result has a link to its file or record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, assert_never

from shared.vault.jobs.job_model import JobContext, JobResult, JobStatus, JobType
from shared.vault.packages.inbound_packages import DEPLOY, IMPORT
from shared.vault.packages.outbound_packages import EXPORT
from shared.vault.packages.package_model import PACKAGE, PackageStatus

if TYPE_CHECKING:
    from shared.vault.packages.inbound_packages import InboundPackages
    from shared.vault.packages.outbound_packages import OutboundPackages

DEPLOY_TIMEOUT = 12 * 3600.0  # seconds of one run, as of a load
# Member of a job's results: paths below ``/api/{version}`` that its status links to.
ARTIFACTS = "artifacts"


class PackageJobs:
    """Carries out the jobs that inbound and outbound packages submit."""

    def __init__(
        self,
        inbound: InboundPackages,
        outbound: OutboundPackages,
    ) -> None:
        self._inbound = inbound
        self._outbound = outbound

    def job_types(self) -> Mapping[str, JobType]:
        """Return the job types of this part, with their handlers."""
        return {
            IMPORT: JobType(self.import_file),
            DEPLOY: JobType(self.deploy, timeout=DEPLOY_TIMEOUT),
            EXPORT: JobType(self.export),
        }

    async def import_file(self, context: JobContext) -> JobResult:
        """Import a package file as records."""
        package_id = await self._inbound.import_file(context)
        path = f"/vobject/{PACKAGE}/{package_id}/actions/import/results"
        return _result(package_id, path)

    async def deploy(self, context: JobContext) -> JobResult:
        """Deploy an imported package."""
        status = await self._inbound.deploy(context)
        package_id = str(context.parameters["package_id"])
        path = f"/vobject/{PACKAGE}/{package_id}/actions/deploy/results"
        return _result(package_id, path, _job_status(status))

    async def export(self, context: JobContext) -> JobResult:
        """Export an outbound package as a file."""
        package_id = await self._outbound.export(context)
        return _result(package_id, f"/services/package/{package_id}/content")


def _job_status(status: PackageStatus) -> JobStatus:
    """Return the status of a deployment job by the status in which it leaves the package."""
    match status:
        case PackageStatus.DEPLOYED | PackageStatus.DEPLOYED_WITH_WARNINGS:
            return JobStatus.SUCCESS
        case PackageStatus.ERROR:
            # The job has done its work: its results say which steps failed.
            return JobStatus.ERRORS_ENCOUNTERED
        case PackageStatus.IMPORTED | PackageStatus.VERIFIED | PackageStatus.BLOCKED:
            raise ValueError(f"A deployment does not end as {status}")
        case _:
            assert_never(status)


def _result(
    package_id: str,
    artifact: str,
    status: JobStatus = JobStatus.SUCCESS,
) -> JobResult:
    results = {"package_id": package_id, ARTIFACTS: [artifact]}
    return JobResult(status, results)
