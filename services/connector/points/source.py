"""Source records of a work unit: fetched by a rule's statement, the absent ones told apart."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from services.connector.points.outcome import ItemFailure
from services.connector.rules.field_errors import ItemErrorType
from services.connector.rules.query_plan import QueryPlan
from services.connector.rules.source_types import Describe
from services.connector.rules.sources import MODIFIED, modified_field
from services.connector.vaults.record_access import RecordAccess
from shared.client.results import QueryResult
from shared.runtime.concurrency import concurrently

Row = dict[str, object]


@dataclass(frozen=True, slots=True)
class SourceRows:
    """Rows by record id; ids that a query object rule leaves out; ids that lead to no readable record.

    ``describe`` is what the source Vault says of the columns; None when nothing was asked for.
    """

    rows: dict[str, Row]
    filtered: frozenset[str]
    missing: frozenset[str]
    describe: Describe | None = None


async def query_all(client: RecordAccess, statements: Iterable[str]) -> list[Row]:
    """The rows of several statements, run at once, in the statements' order; raises ClientError."""
    return [row for answer in await _answers(client, statements) for row in answer.rows]


async def _answers(
    client: RecordAccess, statements: Iterable[str], *, describe: bool = False
) -> list[QueryResult]:
    texts = list(statements)
    if len(texts) == 1:
        return [await client.query(texts[0], describe=describe)]
    async with concurrently() as group:
        reads = [
            group.create_task(client.query(text, describe=describe)) for text in texts
        ]
    return [read.result() for read in reads]


async def fetch(
    client: RecordAccess, plan: QueryPlan, ids: Collection[str]
) -> SourceRows:
    """Read the records by a rule's plan, documents with the modified date of their version; raises ClientError."""
    answers = await _answers(client, plan.statements(ids), describe=True)
    rows = {str(row["id"]): row for answer in answers for row in answer.rows}
    modified = modified_field(plan.object)
    if modified != MODIFIED:
        for row in rows.values():
            row[MODIFIED] = row[modified]
    absent = [item for item in ids if item not in rows]
    filtered: frozenset[str] = frozenset()
    if absent and plan.filtered:
        existing = await query_all(client, plan.existence(absent))
        filtered = frozenset(str(row["id"]) for row in existing)
    describe = answers[0].describe if answers else None
    return SourceRows(rows, filtered, frozenset(absent) - filtered, describe)


def missing_record(object_name: str, record: str, rule: str) -> ItemFailure:
    """The failure of an id that leads to no record."""
    return ItemFailure(
        ItemErrorType.SOURCE,
        f"Integration rule {rule}: the source Vault has no {object_name} {record} that the connection's user may read; "
        "restore the record or give the user access to it",
        rule,
    )
