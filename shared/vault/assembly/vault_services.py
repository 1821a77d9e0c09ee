"""Constructs the services of a Vault."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from shared.spark.connection import BrokerConnection
from shared.vault.actions import entry_actions
from shared.vault.actions.action_service import ActionService
from shared.vault.assembly.file_services import FileServices
from shared.vault.audit.audit_service import AuditService
from shared.vault.components.lifecycles import START_WORKFLOW
from shared.vault.configuration.component_files import ComponentFiles
from shared.vault.configuration.component_jobs import ScriptJobs
from shared.vault.configuration.component_service import ComponentService
from shared.vault.configuration.list_indexes import ListedConditions
from shared.vault.configuration.order_indexes import OrderedFields
from shared.vault.configuration.search_indexes import SearchIndexes
from shared.vault.connections import connection_rules
from shared.vault.connections.connection_rules import OBJECT as CONNECTION
from shared.vault.connections.connection_rules import DomainType
from shared.vault.connections.connection_service import Connections
from shared.vault.connections.connector_questions import ConnectorQuestions
from shared.vault.connections.handshake import Identity
from shared.vault.documents.document_workflows import DocumentContent
from shared.vault.exceptions import exception_triggers, ignoring
from shared.vault.exceptions.bulk_retry import BulkRetries
from shared.vault.exceptions.exception_model import ITEM, MESSAGE
from shared.vault.fulfillment.fulfillment_model import MAKE_PACKAGE, REVOKE_PACKAGE
from shared.vault.fulfillment.package_making import PackageMaking
from shared.vault.integrations import integration_triggers as integrations
from shared.vault.integrations import reference_lookups
from shared.vault.integrations.reconciliation_gauges import ReconciliationGauges
from shared.vault.integrations.reconciliation_records import ReconciliationRecords
from shared.vault.integrations.reconciliation_requests import (
    ScheduledConnectionTrigger,
)
from shared.vault.integrations.reconciliation_service import ReconciliationService
from shared.vault.integrations.run_service import RunService
from shared.vault.jobs.job_service import JobService
from shared.vault.notifications.email_histories import EmailHistories
from shared.vault.notifications.notification_service import NotificationService
from shared.vault.notifications.notify import Notifier
from shared.vault.queries.lineage_service import LineageService
from shared.vault.queries.list_views import ListViews
from shared.vault.queries.queries import QueryService
from shared.vault.queries.record_finder import RecordFinder
from shared.vault.queries.saved_searches import SavedSearches
from shared.vault.queues import retry
from shared.vault.queues.dead_letters import DeadLetters
from shared.vault.queues.deliveries import DeliveryEvents, DeliveryReports
from shared.vault.queues.log import QueueLog
from shared.vault.queues.message_steps import MessageSteps
from shared.vault.queues.queue_service import QueueService
from shared.vault.queues.relay import Relay, Sender
from shared.vault.queues.traffic import TrafficCache
from shared.vault.records.deletions import DeletionService
from shared.vault.records.named_actions import NamedActions
from shared.vault.records.picklist_service import PicklistService
from shared.vault.records.record_service import RecordService
from shared.vault.records.role_rule_service import RoleRuleService
from shared.vault.records.role_service import RoleService
from shared.vault.rehearsal.delivery_faults import DeliveryFaults
from shared.vault.rehearsal.rehearsal_service import RehearsalService
from shared.vault.security import user_records
from shared.vault.security.api_usage import ApiUsageLog
from shared.vault.security.call_limits import BurstLimits, ConfigurationMode
from shared.vault.security.delegations import Delegations
from shared.vault.security.group_service import GroupService
from shared.vault.security.sent_forms import SentForms
from shared.vault.security.sessions import SecurityProfiles
from shared.vault.security.sign_in_service import SignInService
from shared.vault.security.user_directory import UserDirectory
from shared.vault.security.user_service import UserService
from shared.vault.storage.database import Database, Notifications
from shared.vault.storage.fair_slots import FairSlots
from shared.vault.workflows.bulk_actions import BulkWorkflowActions
from shared.vault.workflows.task_service import TaskService
from shared.vault.workflows.workflow_content import RecordContent
from shared.vault.workflows.workflow_engine import WorkflowEngine
from shared.vault.workflows.workflow_lists import WorkflowLists
from shared.vault.workflows.workflow_service import WorkflowService

if TYPE_CHECKING:
    from shared.vault.assembly.vault_definition import VaultDefinition
    from shared.vault.assembly.vault_settings import VaultSettings
    from shared.vault.records.named_actions import ActionContext, ActionHandler
    from shared.vault.records.row_rules import Trigger

DOWNLOADS_AT_ONCE = 2  # of lists, one of a user
TRIGGERS: Mapping[str, Trigger] = {
    integrations.OBJECT: integrations.IntegrationTrigger(),
    ITEM: exception_triggers.ItemTrigger(),
    MESSAGE: exception_triggers.MessageTrigger(),
    reference_lookups.OBJECT: reference_lookups.ReferenceLookupTrigger(),
}


class VaultServices(FileServices):
    """The services of a Vault, which are all that the API and the pages call.

    Each step of the construction needs the services of the steps before it.
    """

    def __init__(self, definition: VaultDefinition, settings: VaultSettings) -> None:
        self.definition = definition
        self.settings = settings
        # Several Vaults of one definition need ids of their own.
        self.vault_id = settings.vault_id or definition.vault_id
        self._add_database()
        self._add_security()
        self._add_records()
        self._add_workflows()
        self._add_queries()
        self._add_rehearsal()
        self._add_queues()
        self._add_files()
        self._add_documents()
        self._add_attachments()
        self._add_loading()

    def _add_database(self) -> None:
        """Add the database, and the services that need nothing else."""
        settings = self.settings
        dsn = settings.database_dsn.get_secret_value()
        self.database = Database(
            dsn,
            max_size=settings.database_connections,
            limits=settings.query_limits,
        )
        self.channels = Notifications(dsn)
        self.components = ComponentService(self.database)
        self.search_indexes = SearchIndexes(self.database, self.components)
        self.component_files = ComponentFiles(self.database, self.components)
        self.audit = AuditService(self.database, lambda: self.components.registry)
        self.jobs = JobService(self.database, poll_seconds=settings.job_poll_seconds)
        self.notifications = NotificationService(self.database)
        self.email_histories = EmailHistories(
            self.database, lambda: self.components.registry
        )
        self.script_jobs = ScriptJobs(
            self.database,
            self.components,
            self.jobs,
            self.definition.label,
        )

    def _add_security(self) -> None:
        settings = self.settings
        delay = settings.burst_delay_ms / 1000
        profiles = SecurityProfiles(self.components)
        self.security = SignInService(
            self.database,
            profiles,
            settings.session_idle_minutes,
            settings.sign_in_limit,
            delay,
            settings.sessions_per_user,
        )
        self.burst = BurstLimits(self.database, settings.burst_limits, delay)
        self.api_usage = ApiUsageLog(self.database)
        self.delegations = Delegations(self.database, self.security.sessions, profiles)
        self.groups = GroupService(self.database, self.components)
        self.configuration_mode = ConfigurationMode(self.database)
        self.sent_forms = SentForms(self.database)

    def _add_records(self) -> None:
        self.records = RecordService(
            self.database,
            self.components,
            # Triggers and actions come from every chapter that rules records, security among them.
            self._triggers(),
            NamedActions(self._named_actions()),
            self.vault_id,
        )
        self.deletions = DeletionService(self.database, self.components)
        self.users = UserService(
            self.database,
            self.records,
            self.security,
            self.vault_id,
        )
        self.user_directory = UserDirectory(self.database, self.vault_id)
        self.picklists = PicklistService(self.components)
        self.roles = RoleService(self.database, self.components, self.records)
        self.role_rules = RoleRuleService(self.database, self.components)
        self.actions = ActionService(self.components, self.records)
        self.connections = Connections(
            self.database,
            self.components,
            self.records,
            self.security,
            self.identity,
            self.settings.allowed_addresses,
        )
        connector_url = self.settings.connector_url
        self.connector = ConnectorQuestions(
            None if connector_url is None else str(connector_url),
            self.vault_id,
        )
        self.runs = RunService(self.database, self.settings.run_patience_minutes)
        self.reconciliations = ReconciliationService(
            self.database,
            self.components,
            self.settings.run_patience_minutes,
        )
        self.reconciliation_gauges = ReconciliationGauges(self.database)
        self.reconciliation_records = ReconciliationRecords(
            self.components,
            self.records,
        )
        self.bulk_retries = BulkRetries(self.components, self.jobs)

    def _add_workflows(self) -> None:
        services = (self.database, self.components, self.records, self.workflow_engine)
        self.workflows = WorkflowService(*services)
        self.workflow_tasks = TaskService(*services)
        self.workflow_lists = WorkflowLists(self.database, self.components)
        self.workflow_actions = BulkWorkflowActions(
            self.database,
            self.jobs,
            self.workflows,
            self.workflow_tasks,
        )

    def _triggers(self) -> Mapping[str, Trigger]:
        """Return the triggers of the Vault by object."""
        connections = ScheduledConnectionTrigger(
            self.settings.allowed_addresses,
            self.security.profiles,
        )
        users = user_records.UserTrigger(self.security.profiles)
        return {
            **TRIGGERS,
            CONNECTION: connections,
            user_records.OBJECT: users,
            **self.definition.triggers,
        }

    def _named_actions(self) -> Mapping[str, ActionHandler]:
        """Return the named actions of lifecycles by name; those of the definition replace the supplied ones."""
        # Without a mail server no e-mail is queued: it would wait for ever.
        notifier = Notifier(
            self.jobs,
            self.security.profiles.named,
            emailing=self.settings.mail_server is not None,
        )

        async def enter(context: ActionContext, state: str) -> None:
            await self.records.actions.enter(context, state)

        self.workflow_engine = WorkflowEngine(
            notifier.notify,
            RecordContent(enter),
            DocumentContent(lambda: self.documents),
        )

        async def repeat(context: ActionContext, action: str) -> None:
            await self.records.actions.repeat(context, action)

        settings = self.settings
        url = str(settings.public_url or settings.url or "")
        days = settings.response_package_days
        self.response_packages = PackageMaking(url, days, repeat)
        return {
            **entry_actions.ACTIONS,
            **connection_rules.ACTIONS,
            "retry_transfer": retry.retry_transfer,
            "ignore": ignoring.ignore,
            "notify": notifier.notify,
            START_WORKFLOW: self.workflow_engine.start_workflow,
            MAKE_PACKAGE: self.response_packages.make,
            REVOKE_PACKAGE: self.response_packages.revoke,
            **self.definition.actions,
        }

    def _add_queries(self) -> None:
        tokens: dict[str, str | int] = {
            "vault.id": self.vault_id,
            "vault.name": self.definition.label,
            "vault.dns": self.settings.host_name,
        }
        self.ordered_fields = OrderedFields(self.database, self.search_indexes.wake)
        self.queries = QueryService(
            self.database,
            self.components,
            tokens,
            self.ordered_fields,
            ListedConditions(self.database, self.search_indexes.wake),
        )
        self.finder = RecordFinder(self.database, self.components)
        self.searches = SavedSearches(self.database)
        self.list_views = ListViews(self.database)
        self.list_downloads = FairSlots(DOWNLOADS_AT_ONCE, 1)
        self.lineage = LineageService(self.database, self.queries, self.components)

    def _add_rehearsal(self) -> None:
        self.rehearsal = RehearsalService(
            self.database,
            lambda: self.components.registry.queues,
            production=self.settings.domain_type is DomainType.PRODUCTION,
        )

    def _add_queues(self) -> None:
        definition, settings = self.definition, self.settings
        amqp_url = settings.amqp_url.get_secret_value()
        self.broker = BrokerConnection(amqp_url, definition.name)
        # Its own connection: RabbitMQ slows down one that publishes too much as a whole, and
        # dead letters are to be read all the same.
        self.consuming = BrokerConnection(amqp_url, f"{definition.name} consuming")
        sender = Sender(self.vault_id, definition.label, settings.host_name)
        faults = DeliveryFaults(self.rehearsal.switches)
        self.relay = Relay(self.database, self.broker, self.components, sender, faults)
        self.dead_letters = DeadLetters(
            self.consuming,
            self.broker,
            self.components,
            self.records,
            self.vault_id,
        )
        self.queues = QueueService(
            self.database,
            self.broker,
            self.components,
            self.relay,
        )
        self.message_steps = MessageSteps(self.database)
        self.traffic = TrafficCache(self.database, self.broker, self.components)
        self.queue_log = QueueLog(self.database, self.components, self.vault_id)
        # The handlers run as users of the Vault, hence the security service.
        events = DeliveryEvents(
            self.components,
            self.records,
            self.security,
            definition.delivery_handlers,
        )
        self.deliveries = DeliveryReports(
            self.components,
            self.records,
            self.queue_log,
            events,
        )

    @property
    def identity(self) -> Identity:
        """Return the identity of this Vault in connection files."""
        settings = self.settings
        return Identity(
            vault_id=self.vault_id,
            name=self.definition.label,
            dns=settings.host_name,
            url=settings.url or "",
            domain_type=settings.domain_type,
            file_days=settings.connection_file_days,
        )
