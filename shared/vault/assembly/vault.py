"""One Vault process: its services put together, started in order and stopped in reverse."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import structlog

from shared.runtime.process import end, run_until_cancelled
from shared.runtime.waiting import wait_for
from shared.spark.connection import BrokerConnection
from shared.vault.actions import entry_actions
from shared.vault.actions.action_service import ActionService
from shared.vault.assembly import housekeeping
from shared.vault.assembly.open_file_store import open_store
from shared.vault.assembly.sign_ins import ensure_sign_ins
from shared.vault.assembly.standard import load_standard
from shared.vault.attachments.attachment_batches import AttachmentBatches
from shared.vault.attachments.attachment_service import AttachmentService
from shared.vault.attachments.file_fields import AttachmentFields
from shared.vault.audit.audit_service import AuditService
from shared.vault.bulk import record_job_service as record_jobs
from shared.vault.configuration import component_jobs
from shared.vault.configuration.component_files import ComponentFiles
from shared.vault.configuration.component_service import ComponentService
from shared.vault.connections import connection_rules
from shared.vault.connections.connection_rules import OBJECT as CONNECTION
from shared.vault.connections.connection_service import Connections
from shared.vault.connections.handshake import Identity
from shared.vault.documents.document_batches import DocumentBatches
from shared.vault.documents.document_content import DocumentFiles
from shared.vault.documents.document_reading import DocumentReader
from shared.vault.documents.document_service import DocumentService
from shared.vault.documents.texts import DocumentTexts
from shared.vault.exceptions import bulk_retry, ignoring, items
from shared.vault.files.content_service import ContentService
from shared.vault.integrations import integration_triggers as integrations
from shared.vault.integrations import reference_lookups
from shared.vault.integrations import run_job as integration_runs
from shared.vault.integrations.run_service import RunService
from shared.vault.jobs.job_model import JobType
from shared.vault.jobs.job_service import JobService
from shared.vault.jobs.job_table import JOB
from shared.vault.jobs.worker import JobWorker, WorkerOptions
from shared.vault.loader import loader_service as loader
from shared.vault.notifications import mail
from shared.vault.notifications.notification_service import NotificationService
from shared.vault.notifications.notify import Notifier
from shared.vault.packages import package_jobs
from shared.vault.packages.inbound_packages import InboundPackages
from shared.vault.packages.outbound_packages import OutboundPackages
from shared.vault.queries.lineage_service import LineageService
from shared.vault.queries.queries import QueryService, query_tokens
from shared.vault.queues import retry
from shared.vault.queues.dead_letters import DeadLetters
from shared.vault.queues.deliveries import DeliveryReports
from shared.vault.queues.delivery_events import DeliveryEvents
from shared.vault.queues.log import QueueLog
from shared.vault.queues.queue_service import QueueService
from shared.vault.queues.relay import Relay, Sender
from shared.vault.records.deletions import DeletionService
from shared.vault.records.named_actions import NamedActions
from shared.vault.records.picklist_service import PicklistService
from shared.vault.records.record_service import RecordService
from shared.vault.records.role_service import RoleService
from shared.vault.security import user_records
from shared.vault.security.call_limits import BurstLimits
from shared.vault.security.configuration_mode import ConfigurationMode
from shared.vault.security.delegations import Delegations
from shared.vault.security.group_service import GroupService
from shared.vault.security.security_profiles import SecurityProfiles
from shared.vault.security.sign_in_service import SecurityService
from shared.vault.security.user_service import UserService
from shared.vault.staging import staging_jobs
from shared.vault.staging.staging_service import StagingLimits, StagingService
from shared.vault.staging.uploads import UploadService
from shared.vault.storage.database import (
    COMPONENT_CHANGED,
    OUTBOX,
    UNREACHABLE,
    Database,
    Notifications,
)
from shared.vault.storage.migrate import migrate

if TYPE_CHECKING:
    from shared.vault.assembly.vault_definition import VaultDefinition
    from shared.vault.assembly.vault_settings import VaultSettings
    from shared.vault.records.named_actions import ActionHandler
    from shared.vault.records.row_rules import Trigger

log = structlog.get_logger(__name__)

TRIGGERS: Mapping[str, Trigger] = {
    integrations.OBJECT: integrations.IntegrationTrigger(),
    items.OBJECT: items.ItemTrigger(),
    reference_lookups.OBJECT: reference_lookups.ReferenceLookupTrigger(),
}

# What each type of job does; chapters that have jobs add theirs.
JOBS: Mapping[str, JobType] = {
    **housekeeping.JOBS,
    **staging_jobs.JOBS,
    **component_jobs.JOBS,
    **loader.JOBS,
    **package_jobs.JOBS,
    **record_jobs.JOBS,
    **mail.JOBS,
    **integration_runs.JOBS,
    **bulk_retry.JOBS,
}


class Vault:
    """A Vault's services; the API and the pages call these and nothing below them."""

    def __init__(self, definition: VaultDefinition, settings: VaultSettings) -> None:
        self.definition = definition
        self.settings = settings
        self.vault_id = settings.vault_id or definition.vault_id
        self.database = Database(
            settings.database_dsn.get_secret_value(),
            max_size=settings.database_connections,
            statement_timeout=settings.query_timeout_seconds,
        )
        self._broker = BrokerConnection(
            settings.amqp_url.get_secret_value(), definition.name
        )
        self._consuming = BrokerConnection(
            settings.amqp_url.get_secret_value(), f"{definition.name} consuming"
        )
        self._notifications = Notifications(settings.database_dsn.get_secret_value())
        delay = settings.burst_delay_ms / 1000
        self.components = ComponentService(self.database)
        profiles = SecurityProfiles(self.components)
        self.security = SecurityService(
            self.database,
            profiles,
            settings.session_idle_minutes,
            settings.sign_in_limit,
            delay,
        )
        self.burst = BurstLimits(self.database, settings.burst_limits, delay)
        self.delegations = Delegations(self.database, self.security.sessions, profiles)
        self.groups = GroupService(self.database, self.components)
        self.audit = AuditService(self.database)
        self.configuration_mode = ConfigurationMode(self.database)
        self.component_files = ComponentFiles(self.database, self.components)
        self.jobs = JobService(self.database, poll_seconds=settings.job_poll_seconds)
        self.notifications = NotificationService(self.database)
        self.records = RecordService(
            self.database,
            self.components,
            self._triggers(),
            NamedActions(self._named_actions()),
            self.vault_id,
        )
        self.deletions = DeletionService(self.database, self.components)
        self.users = UserService(
            self.database, self.records, self.security, self.vault_id
        )
        self.picklists = PicklistService(self.components)
        self._add_queries()
        self.actions = ActionService(self.components, self.records)
        self.roles = RoleService(self.database, self.components, self.records)
        self.relay = Relay(self.database, self._broker, self.components, self._sender())
        self._dead_letters = DeadLetters(
            self._consuming, self.components, self.records, self.vault_id
        )
        self.queues = QueueService(
            self.database, self._broker, self.components, self.relay
        )
        self.queue_log = QueueLog(self.database, self.components)
        self.deliveries = self._delivery_reports()
        self.runs = RunService(self.database, settings.run_patience_minutes)
        self.bulk_retries = bulk_retry.BulkRetries(self.components, self.jobs)
        self.files = open_store(settings, definition.name)
        self.content = ContentService(self.database, self.files)
        self.record_jobs = record_jobs.RecordJobs(self.records, self.jobs, self.files)
        self.staging = StagingService(
            self.files,
            self.jobs,
            StagingLimits(settings.staging_file_bytes, settings.staging_user_bytes),
        )
        self._add_documents()
        self._add_attachments()
        self.uploads = UploadService(self.database, self.files, self.staging, self.jobs)
        self.loader = loader.LoaderService(
            self.jobs, self.staging, self.files, self.components
        )
        self.inbound_packages = InboundPackages(
            self.database, self.components, self.records, self.jobs, self.files
        )
        self.outbound_packages = OutboundPackages(
            self.database, self.components, self.jobs, self.files, self.vault_id
        )
        self.connections = Connections(
            self.database, self.components, self.records, self.security, self.identity
        )
        self.worker = JobWorker(
            self, self.jobs.table, {**JOBS, **definition.jobs}, self._worker_options()
        )
        self._stack = contextlib.AsyncExitStack()
        self._reload: asyncio.Task[None] | None = None
        self._stale = asyncio.Event()
        self.started = False

    def _delivery_reports(self) -> DeliveryReports:
        events = DeliveryEvents(
            self.components,
            self.records,
            self.security,
            self.definition.delivery_handlers,
        )
        return DeliveryReports(self.components, self.records, self.queue_log, events)

    def _add_attachments(self) -> None:
        self.attachments = AttachmentService(
            self.database, self.components, self.records, self.content
        )
        self.attachment_batches = AttachmentBatches(
            self.attachments, self.components, self.records, self.content, self.staging
        )
        self.attachment_fields = AttachmentFields(
            self.database, self.components, self.records, self.content, self.staging
        )

    def _add_queries(self) -> None:
        tokens = query_tokens(
            self.vault_id, self.definition.label, self.settings.host_name
        )
        self.queries = QueryService(
            self.database, self.components, tokens, self.settings.query_limits
        )
        self.lineage = LineageService(self.database, self.queries)

    def _add_documents(self) -> None:
        self.documents = DocumentService(
            self.database, self.components, self.records, self.vault_id
        )
        self.document_files = DocumentFiles(self.database, self.documents, self.content)
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

    def _triggers(self) -> Mapping[str, Trigger]:
        connections = connection_rules.ConnectionTrigger(
            self.settings.allowed_connection_urls, self.security.profiles
        )
        users = user_records.UserTrigger(self.security.profiles)
        return {
            **TRIGGERS,
            CONNECTION: connections,
            user_records.OBJECT: users,
            **self.definition.triggers,
        }

    def _sender(self) -> Sender:
        return Sender(self.vault_id, self.definition.label, self.settings.host_name)

    def _worker_options(self) -> WorkerOptions:
        return WorkerOptions(
            concurrency=self.settings.job_workers, lease=self.settings.job_lease_seconds
        )

    def _named_actions(self) -> Mapping[str, ActionHandler]:
        notifier = Notifier(self.jobs, emailing=self.settings.mail_server is not None)
        supplied = {
            **entry_actions.ACTIONS,
            **connection_rules.ACTIONS,
            "retry_transfer": retry.retry_transfer,
            "ignore": ignoring.ignore,
            "notify": notifier.notify,
        }
        return supplied | dict(self.definition.actions)

    async def start(self) -> None:
        """Wait for the database, bring it up to date, load the standard configuration on first start, relay."""
        await wait_for("postgresql", self.database.open, retry_on=UNREACHABLE)
        self._stack.push_async_callback(self.database.close)
        self._stack.push_async_callback(self.files.close)
        owner = self.settings.owner_dsn
        await migrate(self.database, owner.get_secret_value() if owner else None)
        await load_standard(
            self.database,
            self.components,
            self.records,
            self.definition.standard,
            example_data=self.settings.load_example_data,
        )
        await ensure_sign_ins(self)
        await self.connections.signing.start()
        await self.configuration_mode.load()
        await self.burst.start()
        self._stack.push_async_callback(self.burst.stop)
        self._notifications.on(COMPONENT_CHANGED, self._stale.set)
        self._notifications.on(OUTBOX, self.relay.wake)
        self._notifications.on(JOB, self.worker.wake)
        self._stack.push_async_callback(self._broker.close)
        await self.relay.start()
        self._stack.push_async_callback(self.relay.stop)
        self._stack.push_async_callback(self._consuming.close)
        await self._dead_letters.start()
        self._stack.push_async_callback(self._dead_letters.stop)
        await housekeeping.schedule(self.jobs)
        await self.worker.start()
        self._stack.push_async_callback(self.worker.stop)
        self._reload = asyncio.create_task(
            run_until_cancelled("components", self._keep_current), name="components"
        )
        self._stack.push_async_callback(self._stop_reload)
        await self._notifications.start()
        self._stack.push_async_callback(self._notifications.stop)
        self.started = True
        log.info("vault.started", vault=self.definition.name, vault_id=self.vault_id)

    async def stop(self) -> None:
        """Stop what was started, in reverse order."""
        self.started = False
        await self._stack.aclose()
        log.info("vault.stopped", vault=self.definition.name)

    @property
    def identity(self) -> Identity:
        """What this Vault says of itself when it establishes a connection."""
        settings = self.settings
        return Identity(
            vault_id=self.vault_id,
            name=self.definition.label,
            dns=settings.host_name,
            url=settings.url or "",
            domain_type=settings.domain_type,
            file_days=settings.connection_file_days,
        )

    async def ready(self) -> str | None:
        """Why this process cannot serve now, or None."""
        if not self.started:
            return "starting"
        async with self.database.connection() as connection:
            await connection.fetchval("SELECT 1")
        return None

    async def _keep_current(self) -> None:
        """Read the components again whenever a process on this database has changed them."""
        self._stale.set()  # for what was told while this did not run
        while True:
            await self._stale.wait()
            self._stale.clear()
            await wait_for("postgresql", self.components.load, retry_on=UNREACHABLE)
            await wait_for(
                "postgresql", self.configuration_mode.load, retry_on=UNREACHABLE
            )
            self.relay.wake()  # for queues that are new

    async def _stop_reload(self) -> None:
        await end(self._reload)
