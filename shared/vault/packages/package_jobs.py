"""Carries out the jobs of packages: import, deploy, export; each result links to what was made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from shared.vault.jobs.job_model import JobContext, JobResult, JobStatus, JobType
from shared.vault.packages.inbound_packages import DEPLOY, IMPORT
from shared.vault.packages.outbound_packages import EXPORT
from shared.vault.packages.package_model import PACKAGE, PackageStatus

if TYPE_CHECKING:
    from shared.vault.packages.inbound_packages import InboundPackages
    from shared.vault.packages.outbound_packages import OutboundPackages

ARTIFACTS = "artifacts"
"""Member of a job's results: paths below ``/api/{version}`` that its status links to."""


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
            DEPLOY: JobType(self.deploy),
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
        # A deployment with errors has ended, and its results say which steps failed.
        failed = status is PackageStatus.ERROR
        ended = JobStatus.ERRORS_ENCOUNTERED if failed else JobStatus.SUCCESS
        return _result(package_id, path, ended)

    async def export(self, context: JobContext) -> JobResult:
        """Export an outbound package as a file."""
        package_id = await self._outbound.export(context)
        return _result(package_id, f"/services/package/{package_id}/content")


def _result(
    package_id: str,
    artifact: str,
    status: JobStatus = JobStatus.SUCCESS,
) -> JobResult:
    results = {"package_id": package_id, ARTIFACTS: [artifact]}
    return JobResult(status, results)
