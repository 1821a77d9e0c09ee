"""A run's message: pages through what changed and puts batches on the queue, from where the Vault says to go on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from services.connector.messages.units import BATCH_EVENT, Inbound, RunBatch
from services.connector.points.point import Reading
from services.connector.points.saving import without_values
from services.connector.rules.rule import RuleError
from services.connector.runs.stages import Scope, Stage, stages
from services.connector.runs.window import (
    Cursor,
    Window,
    page_statement,
    window,
)
from services.connector.vaults.configuration import ConfigurationFault
from services.connector.vaults.faults import passing_refusals
from services.connector.vaults.vaults import ConnectedVault, KnownVault, Vaults
from shared.client.client import VaultClient
from shared.client.errors import UnexpectedAnswer, VaultRefused
from shared.client.results import Row, text, whole
from shared.runtime.logging import get_logger
from shared.spark.envelope import (
    MAX_ITEMS,
    SOURCE_ATTRIBUTE,
    Envelope,
    JsonValue,
    Message,
)
from shared.spark.publisher import Outgoing

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RunReading:
    """Carries out one run message; it may be carried out again, and by several connectors at once."""

    vaults: Vaults
    own: ConnectedVault
    queue: str
    overlap: timedelta
    message: Inbound
    batch: RunBatch

    async def run(self) -> None:
        """Read the stage that is due to its end; the run ends with the reason when it cannot be read.

        Raises VaultUnavailable or BrokerUnavailable when it has to be called again.
        """
        try:
            with passing_refusals():
                await self._read()
        except (ConfigurationFault, RuleError) as fault:
            await self._give_up(str(fault))
        except VaultRefused as refused:
            await self._give_up(
                f"A Vault refused the call: {refused.type}: {without_values(refused.message)}"
            )

    async def _give_up(self, reason: str) -> None:
        _log.warning(
            "run not read", run=self.batch.run, integration=self.batch.integration
        )
        try:
            await self.own.client.tell_run(
                self.batch.integration, self.batch.run, {"error": reason}
            )
        except VaultRefused as refused:
            _log.warning("run not ended", run=self.batch.run, error_type=refused.type)

    async def _read(self) -> None:
        own, batch = self.own, self.batch
        run = await own.client.run(batch.integration, batch.run)
        if not _goes_on(run):
            return
        source = self._source()
        if not run.get("source_time"):
            now = await source.client.clock()
            run = await own.client.tell_run(
                batch.integration, batch.run, {"source_time": now}
            )
        configuration = await self.vaults.configuration(source, own).since(
            datetime.now(UTC)
        )
        planned = await stages(
            Scope(configuration, own.client), batch.integration, source.vault_id
        )
        number = whole(run.get("stage"), "stage")
        stage = planned[number] if number < len(planned) else ()
        reading = await self.vaults.source(
            source, configuration.connection_of(batch.integration, source.vault_id)
        )
        await self._page(reading, run, stage, more=number + 1 < len(planned))

    def _source(self) -> KnownVault:
        source = self.vaults.get(self.message.source(self.own.vault_id))
        if source is None:
            raise ConfigurationFault(
                "The Vault at the other end of the connection is not among the connector's Vaults; add it"
            )
        return source

    async def _page(
        self, source: VaultClient, run: Row, stage: Stage, *, more: bool
    ) -> None:
        """Publish batches until the stage is at its end; whoever else reads it too moves this one on."""
        number = run["stage"]
        part = window(
            _moment(run, "changed_since"), _moment(run, "source_time"), self.overlap
        )
        while _goes_on(run) and run["stage"] == number:
            batches, cursor = (
                whole(run.get("batches"), "batches"),
                Cursor.decode(text(run, "position")),
            )
            page = await next_page(source, stage, part, cursor)
            if page is None:
                told = {
                    "stage": number,
                    "batches": batches,
                    "ended": True,
                    "more_stages": more,
                }
            else:
                await self._publish(
                    source, page, replace(self.batch, number=batches + 1)
                )
                told = {
                    "stage": number,
                    "batches": batches + 1,
                    "position": page.following.encode(),
                }
            run = await self.own.client.tell_run(
                self.batch.integration, self.batch.run, told
            )

    async def _publish(self, source: VaultClient, page: Page, batch: RunBatch) -> None:
        """Put a batch on this queue; published a second time it has the same message id."""
        now = datetime.now(UTC)
        attributes: dict[str, JsonValue] = {
            "object": page.reading.object,
            "event": BATCH_EVENT,
            "integration_point": page.reading.integration_point,
            SOURCE_ATTRIBUTE: source.vault_id,
            **batch.attributes(),
        }
        message_id = f"{self.own.vault_id}-run-{batch.run}-{batch.number}"
        envelope = Envelope(
            vault_name=self.own.name,
            vault_host_name=self.message.envelope.vault_host_name,
            queue_name=self.queue,
            enter_queue_timestamp=now,
            send_message_timestamp=now,
            send_attempt=1,
            message_id=message_id,
            message=Message(attributes, page.ids),
        )
        outgoing = Outgoing(
            self.queue, envelope.encode(), message_id, {"vault_id": self.own.vault_id}
        )
        await self.own.publisher.publish(outgoing)


@dataclass(frozen=True, slots=True)
class Page:
    """Ids of changed records, and where the next page begins."""

    reading: Reading
    ids: tuple[str, ...]
    following: Cursor


async def next_page(
    client: VaultClient, stage: Stage, part: Window, cursor: Cursor
) -> Page | None:
    """The next page of a stage that has any records; None at the end of the stage."""
    while cursor.reading < len(stage):
        reading = stage[cursor.reading]
        rows = await _listed(client, reading, part, cursor)
        cursor = cursor.after(reading, rows)
        if rows:
            # A list of deletions names a document once for each version of it.
            return Page(
                reading, tuple(dict.fromkeys(str(row["id"]) for row in rows)), cursor
            )
    return None


async def _listed(
    client: VaultClient, reading: Reading, part: Window, cursor: Cursor
) -> list[Row]:
    if reading.deleted:
        return await client.deletions(
            reading.object, part.since, part.until, limit=MAX_ITEMS, offset=cursor.read
        )
    return (await client.query(page_statement(reading, part, cursor))).rows


def _goes_on(run: Row) -> bool:
    return (
        run.get("status") == "RUNNING"
        and run.get("paged") is False
        and not run.get("error")
    )


def _moment(run: Row, name: str) -> datetime:
    try:
        return datetime.fromisoformat(text(run, name))
    except ValueError:
        raise UnexpectedAnswer(f"{name} is not a moment") from None
