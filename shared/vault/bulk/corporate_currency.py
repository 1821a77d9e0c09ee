"""Carries out updates of corporate currency fields, which this Vault does not have."""

from __future__ import annotations

from collections.abc import Mapping

from shared.vault.jobs.job_model import JobContext, JobResult, JobType

UPDATE_CORPORATE_CURRENCY = "update_corporate_currency"


class CorporateCurrencyJobs:
    """Carries out the updates of corporate currency fields that are submitted."""

    def job_types(self) -> Mapping[str, JobType]:
        """Return the job type of this part, with its handler."""
        return {UPDATE_CORPORATE_CURRENCY: JobType(self.update)}

    async def update(self, _context: JobContext) -> JobResult:
        """End the job: there is no field to update, but clients wait for a job that succeeds."""
        return JobResult()
