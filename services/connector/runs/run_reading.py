"""Carries out the message of a run: reads the changed records page by page, and publishes batches of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from services.connector.messages.units import Inbound, RunBatch
from services.connector.points.point import Reading
from services.connector.rules.rule import RuleError
from services.connector.runs.stages import Scope, Stage, stages
from services.connector.runs.window import (
    PAGE,
    Cursor,
    Window,
    page_statement,
    window,
)
from services.connector.vaults.configuration import ConfigurationFault
from services.connector.vaults.record_access import ChangeReads
from services.connector.vaults.vaults import (
    ConnectedVault,
    Doubts,
    KnownVault,
    Vaults,
    passing_refusals,
)
from shared.client.client import VaultClient
from shared.client.errors import UnexpectedAnswer, VaultRefused
from shared.client.results import Row, text, whole
from shared.protocol.redaction import without_values
from shared.runtime.logging import get_logger
from shared.spark.broker_errors import MalformedMessage
from shared.spark.envelope import (
    SOURCE_ATTRIBUTE,
    Envelope,
    JsonValue,
    Message,
    RunEvent,
    cut,
)
from shared.spark.publisher import Outgoing

_log = get_logger(__name__)
_RUNNING = "RUNNING"


@dataclass(frozen=True, slots=True)
class Page:
    """The ids of a page of changed records, and the cursor of the next page."""

    reading: Reading
    ids: tuple[str, ...]
    following: Cursor


@dataclass(frozen=True, slots=True)
class RunReading:
    """Carries out one run message, which may be repeated, also by several connectors at once."""

    vaults: Vaults
    own: ConnectedVault
    queue: str
    overlap: timedelta
    message: Inbound
    batch: RunBatch
    doubts: Doubts = field(default_factory=Doubts)

    async def run(self) -> None:
        """Read the due stage to its end; report the run as failed when it cannot be read.

        :raises VaultUnavailable: a Vault is away or in trouble, and the message is to be carried out again.
        :raises BrokerUnavailable: the broker is away, and the message is to be carried out again.
        """
        try:
            with passing_refusals():
                await self._read()
        except (ConfigurationFault, RuleError) as fault:
            await self.give_up(str(fault))
        except VaultRefused as refused:
            self.doubts.begin_again(refused)
            reason = without_values(refused.message)
            text = f"A Vault refused the call: {refused.type}: {reason}"
            await self.give_up(text)
        except MalformedMessage as problem:
            await self.give_up(f"A page of records makes no message: {problem}")

    async def give_up(self, reason: str) -> None:
        """End the run as failed, with a reason.

        :raises VaultUnavailable: the Vault is away.
        """
        batch = self.batch
        _log.warning(
            "run not read",
            run=batch.run,
            integration=batch.integration,
        )
        try:
            await self._update({"error": reason})
        except VaultRefused as refused:
            # The run was cancelled or deleted; nobody waits for its error.
            _log.warning(
                "run not ended",
                run=batch.run,
                error_type=refused.type,
            )

    async def _update(self, progress: dict[str, object]) -> Row:
        """Report the progress of the reading, and return the updated run."""
        batch = self.batch
        return await self.own.client.report_run(
            batch.integration,
            batch.run,
            progress,
        )

    async def _read(self) -> None:
        own = self.own
        integration = self.batch.integration
        run = await own.client.run(integration, self.batch.run)
        # Cancelled, read to its end, or failed since the message was sent.
        if not _has_more_pages(run):
            return
        source = self._source()
        # The end of the window is fixed once, for all stages and however often the message is carried out.
        if not run.get("source_time"):
            run = await self._fix_window(run, source)
        reader = self.vaults.configuration(source, own)
        configuration = await reader.since(datetime.now(UTC))
        scope = Scope(configuration, own.client)
        planned = await stages(scope, integration, source.vault_id)
        number = whole(run.get("stage"), "stage")
        # The configuration may have fewer stages now than when the run began.
        stage = planned[number] if number < len(planned) else ()
        connection = configuration.connection_of(integration, source.vault_id)
        client = await self.vaults.source(source, connection)
        await self._page(client, run, stage, more=number + 1 < len(planned))

    async def _fix_window(self, run: Row, source: KnownVault) -> Row:
        """Report the window, which ends at the source's clock, and return the updated run."""
        clock = await source.client.clock()
        part = self._window({**run, "source_time": clock.date_time})
        progress: dict[str, object] = {
            "source_time": clock.date_time,
            "read_since": part.since,
        }
        if clock.complete_until is not None:
            progress["complete_until"] = clock.complete_until
        return await self._update(progress)

    def _window(self, run: Row) -> Window:
        """Return the run's window; unless the run continues an earlier one, it begins earlier by the overlap."""
        return window(
            _moment(run, "changed_since"),
            _moment(run, "source_time"),
            self._overlap_of(run),
        )

    def _overlap_of(self, run: Row) -> timedelta:
        # Whoever continues a run begins where that one knew the source's changes to be complete.
        return timedelta(0) if run.get("continues") is True else self.overlap

    def _log_window(self, run: Row, part: Window) -> None:
        _log.info(
            "run window",
            run=self.batch.run,
            integration=self.batch.integration,
            since=part.since,
            until=part.until,
            overlap_seconds=self._overlap_of(run).total_seconds(),
            complete_until=run.get("complete_until"),
        )

    def _source(self) -> KnownVault:
        vault_id = self.message.source(self.own.vault_id)
        source = self.vaults.get(vault_id)
        if source is None:
            raise ConfigurationFault(
                "The Vault at the other end of the connection is not among the connector's Vaults; add it"
            )
        return source

    async def _page(
        self,
        source: VaultClient,
        run: Row,
        stage: Stage,
        *,
        more: bool,
    ) -> None:
        """Publish batches until the end of the stage."""
        number = run["stage"]
        part = self._window(run)
        self._log_window(run, part)
        # Another connector may read the same stage; the Vault then answers with the position of the one that is ahead.
        while _has_more_pages(run) and run["stage"] == number:
            batches = whole(run.get("batches"), "batches")
            cursor = Cursor.decode(text(run, "position"))
            page = await next_page(source, stage, part, cursor)
            progress: dict[str, object] = {"stage": number, "batches": batches}
            if page is None:
                progress |= {"ended": True, "more_stages": more}
            else:
                # Published before they are reported: a batch that comes twice does no harm, one that never comes would.
                for ids in cut(page.ids):
                    batches += 1
                    batch = replace(self.batch, number=batches)
                    await self._publish(source, page.reading, ids, batch)
                position = page.following.encode()
                progress |= {"batches": batches, "position": position}
            run = await self._update(progress)

    async def _publish(
        self,
        source: VaultClient,
        reading: Reading,
        ids: tuple[str, ...],
        batch: RunBatch,
    ) -> None:
        """Publish a batch of the run to the inbound queue that this message came from."""
        now = datetime.now(UTC)
        attributes: dict[str, JsonValue] = {
            "object": reading.object,
            "event": RunEvent.BATCH.value,
            "integration_point": reading.integration_point,
            SOURCE_ATTRIBUTE: source.vault_id,
            **batch.attributes(),
        }
        # Published a second time, the batch has the same message id.
        message_id = f"{self.own.vault_id}-run-{batch.run}-{batch.number}"
        envelope = Envelope(
            vault_name=self.own.name,
            vault_host_name=self.message.envelope.vault_host_name,
            queue_name=self.queue,
            enter_queue_timestamp=now,
            send_message_timestamp=now,
            send_attempt=1,
            message_id=message_id,
            message=Message(attributes, ids),
        )
        headers = {"vault_id": self.own.vault_id}
        outgoing = Outgoing(
            self.queue,
            envelope.encode(),
            message_id,
            headers,
        )
        await self.own.publisher.publish(outgoing)


async def next_page(
    client: ChangeReads,
    stage: Stage,
    part: Window,
    cursor: Cursor,
) -> Page | None:
    """Return the next page with records in a stage; None at the end of the stage.

    :raises ClientError: one of the calls fails.
    """
    while cursor.reading < len(stage):
        reading = stage[cursor.reading]
        rows = await _listed(client, reading, part, cursor)
        cursor = cursor.after(reading, rows)
        if rows:
            # A list of deletions names a document once for each version of it.
            ids = dict.fromkeys(str(row["id"]) for row in rows)
            return Page(reading, tuple(ids), cursor)
    return None


async def _listed(
    client: ChangeReads,
    reading: Reading,
    part: Window,
    cursor: Cursor,
) -> list[Row]:
    if reading.deleted:
        return await client.deletions(
            reading.object,
            cursor.modified or part.since,
            part.until,
            limit=PAGE,
            offset=cursor.read,
        )
    answer = await client.query(page_statement(reading, part, cursor))
    return answer.rows


def _has_more_pages(run: Row) -> bool:
    running = run.get("status") == _RUNNING
    paged = run.get("paged") is not False
    return running and not paged and not run.get("error")


def _moment(
    run: Row,
    name: str,
) -> datetime:
    try:
        return datetime.fromisoformat(text(run, name))
    except ValueError:
        raise UnexpectedAnswer(f"{name} is not a moment") from None
