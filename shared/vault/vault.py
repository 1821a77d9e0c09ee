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
from shared.vault.queues.relay import Relay, Sender
from shared.vault.queues.service import QueueService
from shared.vault.records import entry_actions, integrations, retry, users
from shared.vault.records.actions import ActionService, ObjectAction
from shared.vault.records.queries import QueryService
from shared.vault.records.service import RecordService
from shared.vault.security.service import SecurityService
from shared.vault.storage.components import ComponentService
from shared.vault.storage.database import UNREACHABLE, Database
from shared.vault.storage.migrate import migrate
from shared.vault.storage.notifications import COMPONENT_CHANGED, OUTBOX, Notifications
from shared.vault.storage.sign_ins import ensure_sign_ins
from shared.vault.storage.standard import load_standard

if TYPE_CHECKING:
    from shared.vault.definition import VaultDefinition
    from shared.vault.records.triggers import Trigger
    from shared.vault.settings import VaultSettings

log = structlog.get_logger(__name__)

OBJECT_ACTIONS = {
    retry.OBJECT: {retry.ACTION: ObjectAction(retry.ACTION, "Retry Transfer", retry.retry_transfer)},
}
ACTIONS = {"set_field": entry_actions.set_field, "send_message": entry_actions.send_message}
TRIGGERS: Mapping[str, Trigger] = {
    integrations.OBJECT: integrations.IntegrationTrigger(),
    users.OBJECT: users.UserTrigger(),
}


class Vault:
    """A Vault's services; the API and the pages call these and nothing below them."""

    def __init__(self, definition: VaultDefinition, settings: VaultSettings) -> None:
        self.definition = definition
        self.settings = settings
        self.vault_id = settings.vault_id or definition.vault_id
        self.database = Database(settings.database_dsn.get_secret_value(), max_size=settings.database_connections)
        self._broker = BrokerConnection(settings.amqp_url.get_secret_value(), definition.name)
        self._notifications = Notifications(settings.database_dsn.get_secret_value())
        self.security = SecurityService(self.database, settings.session_idle_minutes)
        self.components = ComponentService(self.database)
        self.records = RecordService(self.database, self.components, {**TRIGGERS, **definition.triggers}, self.vault_id)
        self.queries = QueryService(self.database, self.components)
        self.actions = ActionService(self.components, self.records, {**ACTIONS, **definition.actions}, OBJECT_ACTIONS)
        sender = Sender(self.vault_id, definition.label, settings.host_name)
        self.relay = Relay(self.database, self._broker, self.components, sender)
        self.queues = QueueService(self.database, self._broker, self.components, self.relay)
        self._stack = contextlib.AsyncExitStack()
        self._reload: asyncio.Task[None] | None = None
        self._stale = asyncio.Event()
        self.started = False

    async def start(self) -> None:
        """Wait for the database, bring it up to date, load the standard configuration on first start, relay."""
        await wait_for("postgresql", self.database.open, retry_on=UNREACHABLE)
        self._stack.push_async_callback(self.database.close)
        await migrate(self.database)
        await load_standard(
            self.database,
            self.components,
            self.records,
            self.definition.standard,
            example_data=self.settings.load_example_data,
        )
        await ensure_sign_ins(self)
        self._notifications.on(COMPONENT_CHANGED, self._stale.set)
        self._notifications.on(OUTBOX, self.relay.wake)
        self._stack.push_async_callback(self._broker.close)
        await self.relay.start()
        self._stack.push_async_callback(self.relay.stop)
        self._reload = asyncio.create_task(run_until_cancelled("components", self._keep_current), name="components")
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
            self.relay.wake()  # for queues that are new

    async def _stop_reload(self) -> None:
        await end(self._reload)
