"""One work unit from its ids to its outcome: routed, transferred, and its failures recorded or resolved."""

from __future__ import annotations

from dataclasses import replace

from services.connector.messages.units import WorkUnit
from services.connector.points.point import MarkRefused
from services.connector.points.points import mark_refused, transfer
from services.connector.points.saving import without_values
from services.connector.points.transfer import (
    Outcome,
    Transfer,
    UnitLineage,
    keeps_lineage,
)
from services.connector.processing.exception_records import (
    ExceptionRecords,
    MessageErrorType,
    MessageFailure,
)
from services.connector.rules.rule import RuleError
from services.connector.vaults.configuration import (
    Configuration,
    ConfigurationFault,
    Route,
)
from services.connector.vaults.faults import passing_refusals
from services.connector.vaults.vaults import ConnectedVault, KnownVault, Vaults
from shared.client.errors import VaultRefused, VaultUnavailable
from shared.runtime.concurrency import KeyLocks, concurrently
from shared.runtime.logging import get_logger
from shared.runtime.telemetry import metrics
from shared.spark.broker_errors import BrokerUnavailable

_log = get_logger(__name__)

# A fault inside a Vault often passes, but one that a message provokes comes every time.
UNEXPECTED = "UNEXPECTED_ERROR"
UNEXPECTED_ATTEMPTS = 5


class UnitExecution:
    """Runs one unit; it may be run again from the start whenever a Vault was away."""

    def __init__(
        self,
        vaults: Vaults,
        own: ConnectedVault,
        queue: str,
        unit: WorkUnit,
        locks: KeyLocks,
        exceptions: ExceptionRecords,
    ) -> None:
        self._vaults = vaults
        self._own = own
        self._queue = queue
        self._unit = unit
        self._locks = locks
        self._exceptions = exceptions
        self._unexpected = 0
        self._route: Route | None = None
        self._source: KnownVault | None = vaults.get(unit.key.source)
        self._may_write_back = False  # until it is known
        self._lineage_back: UnitLineage | None = None

    async def run(self) -> Outcome | None:
        """Transfer the unit and keep its exceptions; the outcome, None when it failed as a whole.

        Raises VaultUnavailable when the unit has to be run again, and VaultRefused when the target Vault
        takes no exception record.
        """
        try:
            with passing_refusals():
                outcome = await self._transfer()
        except (VaultUnavailable, BrokerUnavailable):
            raise
        except (ConfigurationFault, RuleError) as fault:
            await self._refuse(MessageErrorType.CONFIGURATION, str(fault))
        except VaultRefused as refused:
            if refused.type == UNEXPECTED and self._unexpected < UNEXPECTED_ATTEMPTS:
                self._unexpected += 1
                raise VaultUnavailable(
                    f"unexpected error, time {self._unexpected}"
                ) from refused
            with_reason = f"A Vault refused the call: {refused.type}: {without_values(refused.message)}"
            await self._refuse(MessageErrorType.PROCESSING, with_reason)
        except Exception as error:  # noqa: BLE001  whatever it is, this message must not come back for ever
            _log.exception(
                "unit failed",
                queue=self._queue,
                integration_point=self._unit.key.integration_point,
            )
            text = f"The message could not be processed ({type(error).__qualname__}); the connector's log has the details"
            await self._refuse(MessageErrorType.PROCESSING, text)
        else:
            await self._keep(outcome)
            return outcome
        return None

    async def _transfer(self) -> Outcome:
        key = self._unit.key
        configuration, source = await self._configuration()
        self._source = source
        self._may_write_back = configuration.may_write_back(source.vault_id)
        self._route = route = configuration.route(
            key.integration_point, source.vault_id
        )
        lineage = UnitLineage(
            source.vault_id,
            route,
            key.batch.run if key.batch else None,
            self._unit.message_of,
        )
        back = replace(lineage, vault_id=self._own.vault_id)
        self._lineage_back = (
            back if keeps_lineage(configuration.sources.values()) else None
        )
        unit = Transfer(
            source=await self._vaults.source(source, route.connection),
            target=self._own.client,
            configuration=configuration,
            route=route,
            object=key.object,
            ids=tuple(self._unit.ids),
            locks=self._locks,
            of_run=key.batch is not None,
            lineage=lineage if keeps_lineage(configuration.targets.values()) else None,
            lineage_back=self._lineage_back,
        )
        return await transfer(unit)

    async def _configuration(self) -> tuple[Configuration, KnownVault]:
        """The configuration of this traffic and its source Vault; raises ConfigurationFault."""
        key = self._unit.key
        if not key.integration_point or not key.object:
            raise ConfigurationFault(
                "The message lacks the attribute integration_point or object; correct the action that sent it"
            )
        candidates = (
            [self._source] if self._source else list(self._vaults.remotes(self._own))
        )
        if key.source is not None and self._source is None:
            raise ConfigurationFault(
                f"The message comes from Vault {key.source}, which this connector has no access to; "
                "add the Vault to the connector's settings"
            )
        fault: ConfigurationFault | None = None
        for candidate in candidates:
            reader = self._vaults.configuration(candidate, self._own)
            configuration = await reader.since(self._unit.entered)
            try:
                configuration.route(key.integration_point, candidate.vault_id)
            except ConfigurationFault as problem:
                fault = problem
                if self._source is None:
                    continue
            return configuration, candidate
        raise fault or ConfigurationFault(
            "The connector has no other Vault to read the records from"
        )

    async def _refuse(self, error_type: MessageErrorType, text: str) -> None:
        """Record each message as failed as a whole, with all its ids in its body."""
        source = self._source.vault_id if self._source else self._unit.key.source
        failures = [
            MessageFailure(
                message_id=message_id,
                queue=self._queue,
                error_type=error_type,
                text=text,
                body=envelope.recorded(source),
                received=len(envelope.message.items),
                failed=len(envelope.message.items),
                object=self._unit.key.object,
                integration=self._route.integration.id if self._route else None,
                integration_point=self._route.point.id if self._route else None,
            )
            for message_id, envelope in self._unit.whole_messages.items()
        ]
        async with concurrently() as group:
            group.create_task(self._exceptions.record(failures))
            mark = mark_refused(self._unit.key.object)
            if mark and self._source is not None and self._may_write_back:
                group.create_task(self._mark(mark, self._source))
        metrics.exceptions.labels(self._queue, error_type.value).inc(len(failures))

    async def _mark(self, mark: MarkRefused, source: KnownVault) -> None:
        try:
            await mark(source.client, self._unit.ids, self._lineage_back)
        except VaultRefused as refused:
            # The exception record tells it all; that the status could not be set as well is for the log.
            _log.warning(
                "transfer status not set", vault=source.name, error_type=refused.type
            )

    async def _keep(self, outcome: Outcome) -> None:
        """Record what failed, then resolve what had failed before and now has not."""
        route = self._route
        point = self._unit.key.integration_point
        for name, count in (
            ("transferred", len(outcome.done)),
            ("skipped", len(outcome.skipped)),
            ("failed", len(outcome.failures)),
            ("warned", len(outcome.warnings)),
        ):
            metrics.rows.labels(point, name).inc(count)
        failed = self._failed_messages(outcome)
        if failed:
            await self._exceptions.record(failed.values())
            metrics.exceptions.labels(
                self._queue, MessageErrorType.PROCESSING.value
            ).inc(len(failed))
        whole = {
            message.envelope.message_id for message in self._unit.messages
        } - failed.keys()
        await self._exceptions.resolve(
            whole, route.point.id if route else None, outcome.settled
        )

    def _failed_messages(self, outcome: Outcome) -> dict[str, MessageFailure]:
        failed: dict[str, MessageFailure] = {}
        route = self._route
        for message_id, envelope in self._unit.whole_messages.items():
            items = envelope.message.items
            failures = {
                item: outcome.failures[item]
                for item in items
                if item in outcome.failures
            }
            warnings = {
                item: outcome.warnings[item]
                for item in items
                if item in outcome.warnings
            }
            if not (failures or warnings) or route is None:
                continue
            first = next(iter((failures or warnings).values()))
            what = (
                f"{len(failures)} of {len(items)} items failed"
                if failures
                else f"{len(warnings)} items with warnings"
            )
            text = f"{what} at integration point {route.point.api_name}; see the items. The first: {first.message}"
            failed[message_id] = MessageFailure(
                message_id=message_id,
                queue=self._queue,
                error_type=MessageErrorType.PROCESSING,
                text=text,
                body=envelope.recorded(self._source.vault_id if self._source else None),
                received=len(items),
                failed=len(failures),
                object=self._unit.key.object,
                integration=route.integration.id,
                integration_point=route.point.id,
                items=failures,
                warnings=warnings,
            )
        return failed
