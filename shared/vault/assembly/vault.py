"""Starts the services of one Vault process in order, and stops them in reverse."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING

import structlog

from shared.runtime.waiting import end, run_until_cancelled, wait_for
from shared.vault.assembly import housekeeping
from shared.vault.assembly.sign_ins import SignIns
from shared.vault.assembly.standard import load_standard
from shared.vault.assembly.vault_jobs import job_types
from shared.vault.assembly.vault_services import VaultServices
from shared.vault.integrations.reconciliation_gauges import RECONCILED
from shared.vault.jobs.job_table import JOB
from shared.vault.jobs.worker import JobWorker, WorkerOptions
from shared.vault.storage.database import (
    COMPONENT_CHANGED,
    FAULT_SWITCHED,
    OUTAGES,
    OUTBOX,
    UNREACHABLE,
)
from shared.vault.storage.migrate import migrate
from shared.vault.storage.pulse import Pulse

if TYPE_CHECKING:
    from shared.vault.assembly.vault_definition import VaultDefinition
    from shared.vault.assembly.vault_settings import VaultSettings

log = structlog.get_logger(__name__)

OWNER_VARIABLE = "VAULT_OWNER_DSN"
# Also false on a standby.
TAKES_WRITES = "SELECT current_setting('transaction_read_only') = 'off'"


class Vault(VaultServices):
    """One Vault process: its services, the worker for its jobs, and their start and stop."""

    def __init__(self, definition: VaultDefinition, settings: VaultSettings) -> None:
        super().__init__(definition, settings)
        self.worker = JobWorker(
            self.jobs.table,
            job_types(self),
            self.security.caller_of,
            WorkerOptions(
                concurrency=settings.job_workers,
                lease=settings.job_lease_seconds,
            ),
        )
        self._stack = contextlib.AsyncExitStack()
        self._reload: asyncio.Task[None] | None = None
        self._stale = asyncio.Event()
        self.started = False

    async def start(self) -> None:
        """Start the services, once the database answers and is up to date."""
        await self._open_database()
        await self._start_security()
        await self._start_queues()
        await self._start_jobs()
        # Last: each part above looks at the database once by itself when it starts.
        await self._follow_changes()
        self.started = True
        log.info("vault.started", vault=self.definition.name, vault_id=self.vault_id)

    async def _open_database(self) -> None:
        """Wait for the database, migrate it, and load the parts of the standard configuration that it lacks."""
        await wait_for("postgresql", self.database.open, retry_on=UNREACHABLE)
        self._stack.push_async_callback(self.database.close)
        dsn = self.settings.database_dsn.get_secret_value()
        pulse = Pulse(dsn, self.database.end_waiting)
        await pulse.start()
        self._stack.push_async_callback(pulse.stop)
        self._stack.push_async_callback(self.files.close)
        owner = self.settings.owner_dsn
        await migrate(self.database, owner.get_secret_value() if owner else None)
        if owner is not None:
            self._forget_owner()
        await load_standard(
            self.database,
            self.components,
            self.records,
            self.definition.standard,
            example_data=self.settings.load_example_data,
        )

    def _forget_owner(self) -> None:
        """Remove the owner's password from this process, so that a fault in it cannot reveal it."""
        self.settings = self.settings.model_copy(update={"owner_dsn": None})
        # Names of settings are not case-sensitive.
        for name in list(os.environ):
            if name.upper() == OWNER_VARIABLE:
                del os.environ[name]
        # What /proc shows of a process is the environment that it was started with.
        log.warning("vault.owner_forgotten", variable=OWNER_VARIABLE, use="migrate")

    async def _start_security(self) -> None:
        sign_ins = SignIns(
            self.settings,
            self.vault_id,
            self.database,
            self.security,
            self.records,
        )
        await sign_ins.ensure()
        await self.connections.signing.start()
        await self.configuration_mode.load()
        self._stack.push_async_callback(self.connector.close)
        await self.burst.start()
        self._stack.push_async_callback(self.burst.stop)
        await self.api_usage.start()
        self._stack.push_async_callback(self.api_usage.stop)

    async def _start_queues(self) -> None:
        # Pushed first, hence closed last: the relay stops before its connection.
        self._stack.push_async_callback(self.broker.close)
        await self.relay.start()
        self._stack.push_async_callback(self.relay.stop)
        self._stack.push_async_callback(self.consuming.close)
        await self.dead_letters.start()
        self._stack.push_async_callback(self.dead_letters.stop)

    async def _start_jobs(self) -> None:
        await housekeeping.schedule(self.jobs)
        await self.direct_data_jobs.schedule()
        await self.worker.start()
        self._stack.push_async_callback(self.worker.stop)
        await self.reconciliation_gauges.start()
        self._stack.push_async_callback(self.reconciliation_gauges.stop)
        await self.search_indexes.start()
        self._stack.push_async_callback(self.search_indexes.stop)

    async def _follow_changes(self) -> None:
        """Listen for changes that other processes make in this database."""
        self.channels.on(COMPONENT_CHANGED, self._stale.set)
        self.channels.on(OUTBOX, self.relay.wake)
        self.channels.on_text(FAULT_SWITCHED, self.rehearsal.apply_announcement)
        self.channels.on(JOB, self.worker.wake)
        self.channels.on(RECONCILED, self.reconciliation_gauges.wake)
        self._reload = asyncio.create_task(
            run_until_cancelled("components", self._keep_current),
            name="components",
        )
        self._stack.push_async_callback(self._stop_reload)
        await self.channels.start()
        self._stack.push_async_callback(self.channels.stop)

    async def stop(self) -> None:
        """Stop the started services, in reverse order."""
        # First, so that this process is not ready any more while it stops.
        self.started = False
        await self._stack.aclose()
        log.info("vault.stopped", vault=self.definition.name)

    async def ready(self) -> str | None:
        """Return why this process cannot serve now; None when it can."""
        if not self.started:
            return "starting"
        async with self.database.connection() as connection:
            takes_writes = await connection.fetchval(TAKES_WRITES)
        return None if takes_writes else "the database is read-only"

    async def _keep_current(self) -> None:
        """Read the components again whenever a process on this database has changed them."""
        # Changes that were announced before this task began are read at once.
        self._stale.set()
        while True:
            await self._stale.wait()
            self._stale.clear()
            await wait_for("postgresql", self.components.load, retry_on=OUTAGES)
            await wait_for("postgresql", self.configuration_mode.load, retry_on=OUTAGES)
            self.search_indexes.wake()
            # A new queue is declared at the broker without waiting for its first message.
            self.relay.wake()

    async def _stop_reload(self) -> None:
        await end(self._reload)
