"""Builds the services of files: staging, documents, attachments, loads and packages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.vault.assembly.open_file_store import open_store
from shared.vault.attachments.attachment_batches import AttachmentBatches
from shared.vault.attachments.attachment_service import AttachmentService
from shared.vault.attachments.file_fields import AttachmentFields
from shared.vault.bulk.record_job_service import RecordJobs
from shared.vault.direct_data.direct_data_jobs import DirectDataJobs
from shared.vault.direct_data.direct_data_service import DirectDataService
from shared.vault.documents.check_out import DocumentLocks
from shared.vault.documents.document_attachments import (
    DocumentAttachmentBatches,
    DocumentAttachments,
)
from shared.vault.documents.document_batches import DocumentBatches
from shared.vault.documents.document_content import DocumentFiles
from shared.vault.documents.document_events import DocumentEvents
from shared.vault.documents.document_export import DocumentExports
from shared.vault.documents.document_loads import DocumentLoads
from shared.vault.documents.document_migration import VersionMigration
from shared.vault.documents.document_reading import DocumentReader
from shared.vault.documents.document_relationships import DocumentRelationships
from shared.vault.documents.document_role_service import DocumentRoles
from shared.vault.documents.document_service import DocumentService
from shared.vault.documents.document_templates import DocumentTemplates
from shared.vault.documents.document_tokens import DocumentTokens
from shared.vault.documents.reclassification import Reclassification
from shared.vault.documents.texts import DocumentTexts
from shared.vault.documents.version_batches import VersionBatches
from shared.vault.files.content_service import ContentService
from shared.vault.fulfillment.cover_letters import CoverLetters
from shared.vault.fulfillment.package_door import PackageDoor
from shared.vault.loader.audit_export import AuditExports
from shared.vault.loader.loader_service import LoaderService
from shared.vault.packages.inbound_packages import InboundPackages
from shared.vault.packages.outbound_packages import OutboundPackages
from shared.vault.staging.staging_service import StagingLimits, StagingService
from shared.vault.staging.uploads import UploadService

if TYPE_CHECKING:
    from shared.vault.assembly.vault_definition import VaultDefinition
    from shared.vault.assembly.vault_settings import VaultSettings
    from shared.vault.audit.audit_service import AuditService
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.configuration.order_indexes import OrderedFields
    from shared.vault.jobs.job_service import JobService
    from shared.vault.queries.queries import QueryService
    from shared.vault.records.record_service import RecordService
    from shared.vault.storage.database import Database


class FileServices:
    """The services of a Vault that store files, or run jobs on many records."""

    definition: VaultDefinition
    settings: VaultSettings
    vault_id: int
    database: Database
    components: ComponentService
    audit: AuditService
    jobs: JobService
    records: RecordService
    queries: QueryService
    ordered_fields: OrderedFields

    def _add_files(self) -> None:
        settings = self.settings
        self.files = open_store(settings, self.definition.name)
        # Content is what rows of the database refer to; the staging area belongs to its users.
        self.content = ContentService(self.database, self.files)
        limits = StagingLimits(
            file_bytes=settings.staging_file_bytes,
            user_bytes=settings.staging_user_bytes,
        )
        self.staging = StagingService(self.files, self.jobs, limits)
        self.uploads = UploadService(self.database, self.files, self.staging, self.jobs)

    def _add_documents(self) -> None:
        self.documents = DocumentService(
            self.database, self.components, self.records, self.vault_id
        )
        self.document_files = DocumentFiles(self.database, self.documents, self.content)
        self.document_locks = DocumentLocks(self.database, self.documents)
        self.document_roles = DocumentRoles(
            self.database, self.components, self.documents, self.records
        )
        self.document_relationships = DocumentRelationships(
            self.database, self.components, self.documents, self.records
        )
        self.document_exports = DocumentExports(
            self.database,
            self.documents,
            self.content,
            self.staging,
            self.jobs,
            self.files,
        )
        self.document_texts = DocumentTexts(self.database, self.content)
        self.document_reader = DocumentReader(self.documents, self.queries)
        self.document_batches = DocumentBatches(
            self.documents,
            self.records,
            self.staging,
            self.content,
            self.document_texts,
            self.settings.document_file_bytes,
        )
        self.cover_letters = CoverLetters(self.components, self.queries)
        self.package_door = PackageDoor(self.database, self.components, self.content)
        self.document_templates = DocumentTemplates(
            self.database, self.documents, self.document_batches, self.content
        )
        self.document_events = DocumentEvents(
            self.database, self.documents, self.records
        )
        self.document_tokens = DocumentTokens(
            self.database, self.documents, self.records, self.content, self.vault_id
        )
        self.reclassification = Reclassification(self.documents, self.records)
        self.version_batches = VersionBatches(
            self.documents,
            self.document_batches,
            self.document_files,
            self.reclassification,
            VersionMigration(self.documents, self.records),
        )

    def _add_attachments(self) -> None:
        self.attachments = AttachmentService(
            self.database, self.components, self.records, self.content
        )
        self.attachment_batches = AttachmentBatches(
            self.attachments,
            self.components,
            self.records,
            self.content,
            self.staging,
        )
        self.document_attachments = DocumentAttachments(
            self.database, self.components, self.records, self.content, self.documents
        )
        self.document_attachment_batches = DocumentAttachmentBatches(
            self.document_attachments,
            self.components,
            self.records,
            self.content,
            self.staging,
            self.documents,
        )
        self.document_loads = DocumentLoads(
            self.document_batches,
            self.version_batches,
            self.document_relationships,
            self.document_roles,
            self.document_attachment_batches,
        )
        self.attachment_fields = AttachmentFields(
            self.database, self.components, self.records, self.content, self.staging
        )

    def _add_loading(self) -> None:
        """Add the services that submit jobs on many records, and those of packages."""
        # These submit only; the handlers of their jobs are listed in vault_jobs.
        self.loader = LoaderService(
            self.jobs,
            self.staging,
            self.files,
            self.components,
            self.queries,
        )
        self.audit_exports = AuditExports(self.jobs, self.audit, self.files)
        self.direct_data = DirectDataService(
            self.database, self.components, self.jobs, self.files
        )
        self.direct_data_jobs = DirectDataJobs(
            self.database,
            self.components,
            self.jobs,
            self.files,
            self.vault_id,
            self.ordered_fields,
            scheduled=self.settings.direct_data,
        )
        self.record_jobs = RecordJobs(self.records, self.jobs, self.files)
        self.inbound_packages = InboundPackages(
            self.database,
            self.components,
            self.records,
            self.jobs,
            self.files,
        )
        self.outbound_packages = OutboundPackages(
            self.database,
            self.components,
            self.jobs,
            self.files,
            self.vault_id,
        )
