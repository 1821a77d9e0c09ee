"""The job that runs once a day: what has expired or is not used is removed, whatever kind it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from shared.vault.access.caller import SYSTEM
from shared.vault.files.content_service import UNUSED
from shared.vault.files.file_store import delete_tree
from shared.vault.jobs.job_model import JobContext, JobResult, JobType

if TYPE_CHECKING:
    from shared.vault.jobs.job_service import JobService

HOUSEKEEPING = "housekeeping"
INTERVAL = timedelta(days=1)
HALF_WRITTEN = timedelta(days=1)  # a file still on its way after so long never arrives


async def schedule(jobs: JobService) -> None:
    """Have it run a day from now, unless it is scheduled already."""
    title = "Remove expired jobs and uploads"
    await jobs.submit(
        SYSTEM,
        HOUSEKEEPING,
        title,
        {},
        run_at=datetime.now(UTC) + INTERVAL,
        singleton_key=HOUSEKEEPING,
    )


async def housekeeping(context: JobContext) -> JobResult:
    """Remove what has expired, and schedule the next time."""
    vault = context.vault
    await schedule(vault.jobs)
    jobs = 0
    while expired := await vault.jobs.table.expired(
        timedelta(days=vault.settings.job_days)
    ):
        context.raise_if_stopped()
        for job_id in expired:
            await delete_tree(vault.files, f"results/{job_id}")
        await vault.jobs.table.remove(expired)
        jobs += len(expired)
    uploads = await vault.uploads.purge()
    await vault.deletions.purge()
    await vault.queries.cursors.purge()
    await vault.queue_log.purge()
    await vault.lineage.purge()
    await vault.document_texts.note_missing()
    await vault.attachment_fields.remove_unused(datetime.now(UTC) - UNUSED)
    content = await vault.content.sweep()
    await vault.notifications.purge()
    await vault.files.tidy(datetime.now(UTC) - HALF_WRITTEN)
    return JobResult(results={"jobs": jobs, "uploads": uploads, "content": content})


JOBS = {HOUSEKEEPING: JobType(housekeeping)}
