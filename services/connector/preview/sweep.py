"""Takes many records through their integration points as a run would, saves nothing, and counts the results."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime

import orjson

from services.connector.asking.caller_reads import CallerSessions
from services.connector.asking.traffic import Traffic
from services.connector.points.evaluation import Evaluation
from services.connector.points.planned_writes import PlannedWrites, WriteEvent
from services.connector.points.points import transfer
from services.connector.points.transfer import Outcome, Transfer
from services.connector.rules.item_failures import ItemFailure
from services.connector.rules.lookups import MissingKeys
from services.connector.runs.run_reading import next_page
from services.connector.runs.stages import Scope, stages
from services.connector.runs.window import Cursor, Window
from shared.client.results import Row, text
from shared.runtime.waiting import KeyLocks
from shared.spark.envelope import cut, format_moment

# Bounds what one question costs the Vaults, which serve transfers meanwhile.
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
    """The counts of a sweep; ``complete`` is False when there were more records than a sweep reads."""

    read: int = 0
    written: int = 0
    skipped: int = 0
    failed: int = 0
    failures: list[tuple[str, ItemFailure]] = field(default_factory=list)
    writes: Counter[tuple[str, WriteEvent]] = field(default_factory=Counter)
    missing: MissingKeys = field(default_factory=MissingKeys)
    complete: bool = True

    def note(self, evaluation: Evaluation) -> None:
        """Count the source keys in an evaluation's rows that are missing in their lookup sets."""
        rows = evaluation.found.rows.values()
        missing = evaluation.rule.missing_keys(rows)
        self.missing.count(missing)

    def add(self, outcome: Outcome, read: int) -> None:
        """Add the outcome of a batch of ``read`` records."""
        self.read += read
        self.written += len(outcome.done)
        self.skipped += len(outcome.skipped)
        self.failed += len(outcome.failures)
        room = SHOWN_FAILURES - len(self.failures)
        failures = list(outcome.failures.items())
        self.failures += failures[:room]


async def of_integration(
    traffic: Traffic,
    integration: str,
    since: datetime,
    caller: CallerSessions,
) -> AsyncGenerator[Batch, None]:
    """Yield batches of the records that a run of the integration would read; it may still be inactive.

    :raises NotReadable: the caller may not read the changed records, even when there are none.
    :raises ConfigurationFault: the configuration does not provide for the integration.
    :raises RuleError: a rule cannot be carried out.
    :raises ClientError: a Vault is away or refuses.
    """
    scope = Scope(traffic.configuration, traffic.own.client)
    vault_id = traffic.source.vault_id
    planned = await stages(scope, integration, vault_id, planned=True)
    # A run also reads deletions, and records again whose related records have changed; a sweep looks at neither.
    readings = tuple(
        reading
        for stage in planned
        for reading in stage
        if not (reading.related or reading.deleted)
    )
    end = datetime.now(UTC)
    window = Window(format_moment(since), format_moment(end))
    cursor = Cursor()
    source = caller.source(traffic.source)
    while True:
        page = await next_page(source, readings, window, cursor)
        if page is None:
            return
        reading = page.reading
        for ids in cut(page.ids):
            yield Batch(reading.integration_point, reading.object, ids)
        cursor = page.following


async def of_exceptions(
    traffic: Traffic,
    caller: CallerSessions,
) -> AsyncGenerator[Batch, None]:
    """Yield batches of the records of a connection's points that recently failed for a missing lookup.

    :raises NotReadable: the caller may not read the exceptions.
    :raises ClientError: the Vault is away or refuses.
    """
    result = await caller.own(traffic.own.client).query(LOOKUP_FAILURES)
    points = _points(traffic)
    batches: dict[tuple[str, str], dict[str, None]] = {}
    for row in result.rows:
        point = text(row, _POINT)
        name = _object(row)
        if name and point in points:
            # One record may have failed several times; it is looked at once.
            ids = batches.setdefault((point, name), {})
            ids[text(row, "item__sys")] = None
    for (point, name), ids in batches.items():
        yield Batch(point, name, tuple(ids))


def _points(traffic: Traffic) -> set[str]:
    """Return the API names of the connection's integration points."""
    known = traffic.configuration
    connection = traffic.connection.id
    integrations = {
        integration.id
        for integration in known.integrations.values()
        if integration.connection == connection
    }
    return {
        point.api_name for point in known.points if point.integration in integrations
    }


def _object(row: Row) -> str:
    """Return the object of an exception item's record; empty where the item has none."""
    content = text(row, "item_data__sys")
    try:
        data = orjson.loads(content)
    except orjson.JSONDecodeError:
        return ""
    if not isinstance(data, dict):
        return ""
    return str(data.get("object") or "")


async def sweep(
    traffic: Traffic,
    batches: AsyncGenerator[Batch, None],
    caller: CallerSessions,
) -> Tally:
    """Take the batches through their points, up to 2,000 records, and return the counts.

    :raises NotReadable: the caller may not read the records that are counted.
    :raises ConfigurationFault: the configuration does not provide for a batch.
    :raises RuleError: a rule cannot be carried out.
    :raises ClientError: a Vault is away or refuses.
    """
    tally = Tally()
    configuration = traffic.configuration
    # One for all batches, so that a record that an earlier batch makes counts as made for the later ones.
    source = PlannedWrites(caller.source(traffic.source), configuration.sources)
    target = PlannedWrites(caller.own(traffic.own.client), configuration.targets)
    async with aclosing(_bounded(batches, tally)) as bounded:
        async for batch in bounded:
            route = configuration.planned_route(
                batch.integration_point,
                traffic.source.vault_id,
            )
            unit = Transfer(
                source=source,
                target=target,
                configuration=configuration,
                route=route,
                object=batch.object,
                ids=batch.ids,
                locks=KeyLocks(),
                of_run=True,
                observe=tally.note,
            )
            outcome = await transfer(unit)
            tally.add(outcome, len(batch.ids))
    tally.writes = Counter((write.written, write.event) for write in target.writes)
    return tally


async def _bounded(
    batches: AsyncGenerator[Batch, None],
    tally: Tally,
) -> AsyncGenerator[Batch, None]:
    # Closed here too: a generator that is left early would else read on until it is collected.
    async with aclosing(batches):
        async for batch in batches:
            if tally.read + len(batch.ids) > MAX_RECORDS:
                tally.complete = False
                return
            yield batch


def counts(
    writes: Iterable[tuple[tuple[str, WriteEvent], int]],
) -> dict[str, dict[str, int]]:
    """Return the numbers of rows by object and event."""
    found: dict[str, dict[str, int]] = {}
    for (name, event), number in writes:
        of_object = found.setdefault(name, {})
        of_object[event.value] = number
    return found
