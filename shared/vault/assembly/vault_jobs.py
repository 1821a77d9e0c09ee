"""Lists the job types of a Vault, and the data that its housekeeping removes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from shared.vault.assembly.housekeeping import Housekeeping, Purge
from shared.vault.bulk.corporate_currency import CorporateCurrencyJobs
from shared.vault.bulk.merge import MergeJobs
from shared.vault.bulk.tree_jobs import TreeJobs
from shared.vault.exceptions.bulk_retry import RetryJobs
from shared.vault.files.content_service import UNUSED
from shared.vault.integrations.reconciliation_job import ReconciliationJobs
from shared.vault.integrations.run_job import IntegrationRunJobs
from shared.vault.loader.extract import ExtractJobs
from shared.vault.loader.load import LoadJobs
from shared.vault.notifications.mail import EmailJobs
from shared.vault.packages.package_jobs import PackageJobs
from shared.vault.staging.staging_jobs import StagingJobs

if TYPE_CHECKING:
    from shared.vault.assembly.vault_services import VaultServices
    from shared.vault.jobs.job_model import JobType

# A file that has been on its way for so long never arrives.
HALF_WRITTEN = timedelta(days=1)


def job_types(services: VaultServices) -> Mapping[str, JobType]:
    """Return the job types of all parts of the Vault that have jobs."""
    database = services.database
    components = services.components
    records = services.records
    chapters = (
        Housekeeping(
            services.jobs,
            services.files,
            services.settings.job_days,
            _purges(services),
        ),
        services.script_jobs,
        StagingJobs(services.files, services.uploads),
        LoadJobs(
            database,
            services.files,
            records,
            services.attachment_fields,
            services.document_loads,
        ),
        services.audit_exports,
        services.document_exports,
        services.direct_data_jobs,
        ExtractJobs(
            components,
            services.queries,
            services.files,
            services.document_exports.copied,
        ),
        PackageJobs(services.inbound_packages, services.outbound_packages),
        TreeJobs(database, components, records, services.files),
        MergeJobs(database, components, records, services.definition.merge_handlers),
        CorporateCurrencyJobs(),
        EmailJobs(database, services.jobs, services.settings.mail_server),
        IntegrationRunJobs(
            database,
            components,
            records,
            services.settings.run_patience_minutes,
        ),
        ReconciliationJobs(
            database,
            components,
            services.reconciliation_records,
            services.settings.run_patience_minutes,
        ),
        services.workflow_actions,
        RetryJobs(database, components, services.actions.run),
    )
    # A worker claims only the types that it knows: an older process leaves new ones to newer processes.
    types: dict[str, JobType] = {}
    for chapter in chapters:
        types |= chapter.job_types()
    return types


def _purges(services: VaultServices) -> tuple[Purge, ...]:
    """Return the purges of housekeeping in order: content comes after the uploads and files that refer to it."""

    async def unused_field_files() -> None:
        await services.attachment_fields.remove_unused(datetime.now(UTC) - UNUSED)

    async def half_written_files() -> None:
        await services.files.tidy(datetime.now(UTC) - HALF_WRITTEN)

    return (
        Purge(services.uploads.purge, result="uploads"),
        Purge(services.deletions.purge),
        Purge(services.queries.cursors.purge),
        Purge(services.sent_forms.purge),
        Purge(services.document_tokens.purge),
        Purge(services.searches.purge),
        Purge(services.queue_log.purge),
        Purge(services.message_steps.purge),
        Purge(services.api_usage.purge),
        Purge(services.lineage.purge),
        Purge(services.document_texts.extract_missing),
        Purge(services.direct_data_jobs.purge),
        Purge(unused_field_files),
        Purge(services.package_door.forget),
        Purge(services.content.sweep, result="content"),
        Purge(services.notifications.purge),
        Purge(half_written_files),
    )
