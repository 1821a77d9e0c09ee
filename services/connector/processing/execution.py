"""Runs one work unit: finds its route, transfers it, records and resolves failures, and reports them to the source."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import replace
from functools import partial

from services.connector.messages.units import WorkUnit
from services.connector.points.points import (
    POINTS,
    mark_failed,
    mark_refused,
    reasons_of,
)
from services.connector.points.transfer import (
    Outcome,
    Result,
    Transfer,
    UnitLineage,
    stores_lineage,
)
from services.connector.processing.exception_records import ExceptionRecords
from services.connector.processing.isolation import failure_text, transfer_apart
from services.connector.processing.message_failure import (
    MessageErrorType,
    MessageFailure,
)
from services.connector.rules.item_failures import ItemErrorType, ItemFailure
from services.connector.rules.rule import RuleError
from services.connector.vaults.configuration import (
    Configuration,
    ConfigurationFault,
    Route,
)
from services.connector.vaults.vaults import (
    PASSING,
    ConnectedVault,
    Doubts,
    KnownVault,
    Vaults,
    passing_refusals,
)
from shared.client.errors import VaultRefused
from shared.client.results import QueryResult
from shared.runtime.logging import get_logger
from shared.runtime.telemetry import metrics
from shared.runtime.waiting import KeyLocks
from shared.spark.envelope import Envelope, ReconciliationEvent

_log = get_logger(__name__)

StatusReport = Callable[[], Awaitable[Mapping[str, ItemFailure]]]


class UnitRejected(Exception):
    """Raised instead of transferring a unit that is not to be processed; the text contains the reason."""


class UnitExecution:
    """Runs one unit, which may be run again from the start after a Vault was away.

    ``to_report`` has the failed records that are still to be reported to the source Vault when ``run`` has returned.
    ``ignored`` are the records that have failed, and whose exceptions an administrator ignores.
    """

    def __init__(
        self,
        vaults: Vaults,
        own: ConnectedVault,
        queue: str,
        unit: WorkUnit,
        locks: KeyLocks,
        exceptions: ExceptionRecords,
        rejection: str | None = None,
    ) -> None:
        """Take the unit; when ``rejection`` contains a reason, the unit is recorded as failed and not processed."""
        self._vaults = vaults
        self._own = own
        self._queue = queue
        self._unit = unit
        self._locks = locks
        self._exceptions = exceptions
        self._rejection = rejection
        self._doubts = Doubts()
        self._route: Route | None = None
        self._source: KnownVault | None = vaults.get(unit.key.source)
        # Until the configuration is known, nothing may be written into the source Vault.
        self._may_write_back = False
        self._lineage_back: UnitLineage | None = None
        self._transferred: Transfer | None = None
        self.to_report: StatusReport | None = None
        self.ignored: frozenset[str] = frozenset()
        # Also by attempts that did not come to their end.
        self._changed: set[str] = set()

    async def run(self) -> Outcome | None:
        """Transfer the unit and record its exceptions; return the outcome, None when it failed as a whole.

        Call ``report_failed`` afterwards to report the failures to the source Vault.

        :raises VaultUnavailable: a Vault is away, and the unit has to be run again.
        :raises BrokerUnavailable: the broker is away, and the unit has to be run again.
        :raises VaultRefused: the target Vault refuses an exception record.
        """
        try:
            with passing_refusals():
                outcome = await self._transfer()
        # Before the broader handlers: these are nobody's fault, and the unit is simply run again.
        except PASSING:
            raise
        except (ConfigurationFault, RuleError) as fault:
            await self._refuse(MessageErrorType.CONFIGURATION, str(fault))
        except UnitRejected as reason:
            await self._refuse(MessageErrorType.PROCESSING, str(reason))
        except VaultRefused as refused:
            self._doubts.begin_again(refused)
            text = failure_text(refused)
            await self._refuse(MessageErrorType.PROCESSING, text)
        except Exception as error:  # noqa: BLE001  whatever it is, this message must not come back for ever
            _log.exception(
                "unit failed",
                queue=self._queue,
                integration_point=self._unit.key.integration_point,
            )
            text = failure_text(error)
            await self._refuse(MessageErrorType.PROCESSING, text)
        else:
            await self._record_outcome(outcome)
            return outcome
        return None

    async def report_failed(self) -> None:
        """Mark the failed records in the source Vault; their exceptions are recorded already.

        :raises VaultUnavailable: the source Vault is away.
        :raises VaultRefused: the source Vault refuses to mark a record, and the report has to be repeated.
        """
        if self.to_report is None:
            return
        with passing_refusals():
            refused = await self.to_report()
        for failure in refused.values():
            raise VaultRefused(
                failure.error_type, "records could not be marked as failed"
            )

    async def _transfer(self) -> Outcome:
        key = self._unit.key
        opened = await self._opened()
        configuration, source = await self._configuration()
        self._source = source
        self._may_write_back = configuration.may_write_back(source.vault_id)
        if self._rejection is not None:
            raise UnitRejected(self._rejection)
        route = configuration.route(key.integration_point, source.vault_id)
        self._route = route
        lineage = UnitLineage(
            vault_id=source.vault_id,
            route=route,
            run=key.batch.run if key.batch else None,
            messages=self._unit.message_of,
        )
        if stores_lineage(configuration.sources.values()):
            # Rows that are written back come from this Vault.
            self._lineage_back = replace(lineage, vault_id=self._own.vault_id)
        keeps = stores_lineage(configuration.targets.values())
        unit = Transfer(
            source=await self._vaults.source(source, route.connection),
            target=self._own.client,
            configuration=configuration,
            route=route,
            object=key.object,
            ids=tuple(self._unit.ids),
            locks=self._locks,
            of_run=key.batch is not None,
            anew=key.event == ReconciliationEvent.TRANSFER_AGAIN,
            origins=self._own.client,
            lineage=lineage if keeps else None,
            lineage_back=self._lineage_back,
            changed=self._changed,
            opened=opened,
        )
        self._transferred = unit
        if not unit.ids:
            return Outcome()
        messages = self._unit.ids_by_message
        outcome = await transfer_apart(unit, messages, last=self._doubts.is_last)
        outcome.changed |= self._changed
        return outcome

    async def _opened(self) -> list[QueryResult]:
        """Return the answer to the opening query of the unit's point; an empty list if the point has none."""
        # The point of a copied connection is known by the configuration only, and asks later.
        point = POINTS.get(self._unit.key.integration_point)
        if point is None or point.opening is None:
            return []
        if self._rejection is not None or self._source is None:
            return []
        answer = await self._own.client.query(point.opening)
        return [answer]

    async def _configuration(self) -> tuple[Configuration, KnownVault]:
        """Return the configuration between the unit's source Vault and its target Vault, and the source Vault.

        :raises ConfigurationFault: no source Vault or integration point is configured for the message.
        :raises ClientError: one of the calls fails.
        """
        key = self._unit.key
        if not key.integration_point or not key.object:
            raise ConfigurationFault(
                "The message lacks the attribute integration_point or object; correct the action that sent it"
            )
        if self._source is not None:
            return await self._configuration_with(self._source), self._source
        if key.source is not None:
            raise ConfigurationFault(
                f"The message comes from Vault {key.source}, which this connector has no access to; "
                "add the Vault to the connector's settings"
            )
        return await self._first_with_route()

    async def _first_with_route(self) -> tuple[Configuration, KnownVault]:
        """Return the first Vault with a route to the integration point, for a message that does not name its source."""
        fault = ConfigurationFault(
            "The connector has no other Vault to read the records from"
        )
        for candidate in self._vaults.remotes(self._own):
            configuration = await self._configuration_with(candidate)
            point = self._unit.key.integration_point
            try:
                configuration.route(point, candidate.vault_id)
            except ConfigurationFault as problem:
                fault = problem
            else:
                return configuration, candidate
        raise fault

    async def _configuration_with(self, source: KnownVault) -> Configuration:
        # As it was when the messages were sent, or later: what they rely on is in it.
        reader = self._vaults.configuration(source, self._own)
        return await reader.since(self._unit.entered)

    async def _refuse(
        self,
        error_type: MessageErrorType,
        text: str,
    ) -> None:
        """Record that each message failed as a whole: all its records, if its integration point is known."""
        source = self._source.vault_id if self._source else self._unit.key.source
        failures = []
        for message_id, envelope in self._unit.whole_messages.items():
            items = envelope.message.items
            failure = self._failure(
                message_id,
                envelope,
                error_type,
                text,
                source,
            )
            failed = replace(failure, failed=len(items))
            # Without a point, a record's exception could not be found again.
            if self._route is not None:
                reason = ItemFailure(ItemErrorType.PROCESSING, text)
                failed = replace(failed, items=dict.fromkeys(items, reason))
            failures.append(failed)
        await self._record(failures, error_type)
        mark = mark_refused(self._unit.key.object)
        if mark and self._source is not None and self._may_write_back:
            # The message is at fault, not its records: their senders get no reason.
            ids = dict.fromkeys(self._unit.ids, "")
            client = self._source.client
            self.to_report = partial(mark, client, ids, self._lineage_back)

    async def _record(
        self,
        failures: Collection[MessageFailure],
        error_type: MessageErrorType,
    ) -> None:
        recorded = await self._exceptions.record(failures)
        self.ignored = recorded.ignored
        exceptions = metrics.exceptions.labels(self._queue, error_type.value)
        exceptions.inc(recorded.messages)

    async def _record_outcome(self, outcome: Outcome) -> None:
        """Record the new failures, then resolve earlier failures of items that have now succeeded."""
        point = self._unit.key.integration_point
        for result in Result:
            metrics.rows.labels(point, result.value).inc(outcome.count(result))
        # Recorded before anything is resolved: a stop in between leaves an exception too many rather than none.
        failed = self._failed_messages(outcome)
        if failed:
            await self._record(failed.values(), MessageErrorType.PROCESSING)
        self._note_report(outcome)
        messages = {message.envelope.message_id for message in self._unit.messages}
        route = self._route
        await self._exceptions.resolve(
            messages - failed.keys(),
            route.point.id if route else None,
            outcome.settled,
        )

    def _note_report(self, outcome: Outcome) -> None:
        unit = self._transferred
        if unit is None or not outcome.failures:
            return
        mark = mark_failed(unit)
        if mark is not None:
            reasons = reasons_of(unit, outcome)
            self.to_report = partial(mark, unit.source, reasons, self._lineage_back)

    def _failed_messages(self, outcome: Outcome) -> dict[str, MessageFailure]:
        """Return the failures of messages with failed or warned items, by message id."""
        failed: dict[str, MessageFailure] = {}
        source = self._source.vault_id if self._source else None
        for message_id, envelope in self._unit.whole_messages.items():
            items = envelope.message.items
            failures = _of_items(outcome.failures, items)
            warnings = _of_items(outcome.warnings, items)
            if not (failures or warnings) or self._route is None:
                continue
            kind = MessageErrorType.PROCESSING
            failure = self._failure(message_id, envelope, kind, "", source)
            failed[message_id] = replace(
                failure,
                failed=len(failures),
                items=failures,
                warnings=warnings,
            )
        return failed

    def _failure(
        self,
        message_id: str,
        envelope: Envelope,
        error_type: MessageErrorType,
        text: str,
        source: int | None,
    ) -> MessageFailure:
        """Return the failure of a message, to which no failed item is added yet."""
        route = self._route
        return MessageFailure(
            message_id=message_id,
            queue=self._queue,
            error_type=error_type,
            text=text,
            # The body names its source, so that a retry from the target Vault knows it.
            body=envelope.recorded(source),
            received=len(envelope.message.items),
            failed=0,
            object=self._unit.key.object,
            integration=route.integration.id if route else None,
            integration_point=route.point.id if route else None,
            place=route.point.api_name if route else "",
        )


def _of_items(
    failures: dict[str, ItemFailure],
    items: tuple[str, ...],
) -> dict[str, ItemFailure]:
    return {item: failures[item] for item in items if item in failures}
