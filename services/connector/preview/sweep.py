"""Many records taken through their integration points as a run would, up to what would be saved, and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime

import orjson

from services.connector.asking.traffic import Traffic
from services.connector.points.evaluation import Evaluation
from services.connector.points.points import transfer
from services.connector.points.transfer import Transfer
from services.connector.preview.noted_writes import NotedWrites
from services.connector.rules.item_failures import ItemFailure
from services.connector.rules.lookups import MissingKeys
from services.connector.runs.run_reading import next_page
from services.connector.runs.stages import Scope, stages
from services.connector.runs.window import Cursor, Window
from shared.client.results import Row, text
from shared.runtime.waiting import KeyLocks
from shared.spark.envelope import format_moment

MAX_RECORDS = 2000
SHOWN_FAILURES = 20
_POINT = (
    "exception_message__sysr.integration_point__sysr.integration_point_api_name__sys"
)
LOOKUP_FAILURES = (
    f"SELECT item__sys, LONGTEXT(item_data__sys), {_POINT} FROM exception_item__sys "  # noqa: S608  VQL of names
    "WHERE error_type__sys = 'reference_lookup_error__sys' "
    "AND error_status__sys CONTAINS ('open__sys', 'warning__sys') ORDER BY modified_date__v DESC MAXROWS 500"
)


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of an object for an integration point."""

    integration_point: str
    object: str
    ids: tuple[str, ...]


@dataclass(slots=True)
class Tally:
    """What a sweep came to; ``complete`` says that nothing was left out because there is too much."""

    read: int = 0
    written: int = 0
    skipped: int = 0
    failed: int = 0
    failures: list[tuple[str, ItemFailure]] = field(default_factory=list)
    writes: Counter[tuple[str, str]] = field(default_factory=Counter)
    missing: MissingKeys = field(default_factory=MissingKeys)
    complete: bool = True

    def note(self, evaluation: Evaluation) -> None:
        """Take in what a rule came to."""
        rows = evaluation.found.rows.values()
        self.missing.count(evaluation.rule.missing_keys(rows))


async def of_integration(
    asked: Traffic, integration: str, since: datetime
) -> AsyncGenerator[Batch, None]:
    """Batches of what a run of the integration would read; it may still be inactive.

    Raises ClientError, RuleError and ConfigurationFault.
    """
    scope = Scope(asked.configuration, asked.own.client)
    planned = await stages(scope, integration, asked.source.vault_id, planned=True)
    readings = tuple(
        r for stage in planned for r in stage if r.through is None and not r.deleted
    )
    part = Window(format_moment(since), format_moment(datetime.now(UTC)))
    cursor = Cursor()
    while (page := await next_page(asked.source, readings, part, cursor)) is not None:
        yield Batch(page.reading.integration_point, page.reading.object, page.ids)
        cursor = page.following


async def of_exceptions(asked: Traffic) -> AsyncGenerator[Batch, None]:
    """Batches of the records that a missing lookup has lately kept from the Vault, of all points of the connection."""
    rows = (await asked.own.client.query(LOOKUP_FAILURES)).rows
    integrations = {
        i.id
        for i in asked.configuration.integrations.values()
        if i.connection == asked.connection.id
    }
    points = {
        point.api_name
        for point in asked.configuration.points
        if point.integration in integrations
    }
    batches: dict[tuple[str, str], dict[str, None]] = {}
    for row in rows:
        point, name = text(row, _POINT), _object(row)
        if name and point in points:
            batches.setdefault((point, name), {})[text(row, "item__sys")] = None
    for (point, name), ids in batches.items():
        yield Batch(point, name, tuple(ids))


def _object(row: Row) -> str:
    try:
        data = orjson.loads(text(row, "item_data__sys"))
    except orjson.JSONDecodeError:
        return ""
    return str(data.get("object") or "") if isinstance(data, dict) else ""


async def sweep(asked: Traffic, batches: AsyncGenerator[Batch, None]) -> Tally:
    """Take the batches through their points, up to the number of records that are looked at.

    Raises ClientError, RuleError and ConfigurationFault.
    """
    tally = Tally()
    source = NotedWrites(asked.source, asked.configuration.sources)
    target = NotedWrites(asked.own.client, asked.configuration.targets)
    async with aclosing(_bounded(batches, tally)) as bounded:
        async for batch in bounded:
            route = asked.configuration.planned_route(
                batch.integration_point, asked.source.vault_id
            )
            unit = Transfer(
                source=source,
                target=target,
                configuration=asked.configuration,
                route=route,
                object=batch.object,
                ids=batch.ids,
                locks=KeyLocks(),
                of_run=True,
                observe=tally.note,
            )
            outcome = await transfer(unit)
            tally.read += len(batch.ids)
            tally.written += len(outcome.done)
            tally.skipped += len(outcome.skipped)
            tally.failed += len(outcome.failures)
            tally.failures += list(outcome.failures.items())[
                : SHOWN_FAILURES - len(tally.failures)
            ]
    tally.writes = Counter((write.written, write.event) for write in target.noted)
    return tally


async def _bounded(
    batches: AsyncGenerator[Batch, None], tally: Tally
) -> AsyncGenerator[Batch, None]:
    async with aclosing(batches):
        async for batch in batches:
            if tally.read + len(batch.ids) > MAX_RECORDS:
                tally.complete = False
                return
            yield batch


def counts(writes: Iterable[tuple[tuple[str, str], int]]) -> dict[str, dict[str, int]]:
    """Numbers of rows by object and event."""
    found: dict[str, dict[str, int]] = {}
    for (name, event), number in writes:
        found.setdefault(name, {})[event] = number
    return found
