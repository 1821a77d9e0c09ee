"""Rules run over fetched rows: every row's target values with its references settled, or its failure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from services.connector.rules.compiled import (
    CompiledRule,
    Evaluated,
    Targets,
    Unique,
    index,
    key_statements,
    pending_keys,
    settle,
)
from services.connector.rules.item_failures import ItemErrorType, ItemFailure
from services.connector.rules.query_plan import QueryPlan
from services.connector.rules.rows import Describe
from services.connector.rules.vql_text import MODIFIED, modified_field, statements
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


class OutdatedRead(Exception):
    """Rows that may be older than what is stored were left out; the unit is to be read and written again."""


@dataclass(slots=True)
class Evaluation:
    """Target values and failures by source record id; a record stands in one of the two.

    ``warnings`` are what was left unset in records that are transferred all the same. ``evaluated`` is what each row
    of ``found`` came to, field by field, also where the record failed.
    """

    rule: CompiledRule
    found: SourceRows
    targets: dict[str, Targets] = field(default_factory=dict)
    failures: dict[str, ItemFailure] = field(default_factory=dict)
    warnings: dict[str, ItemFailure] = field(default_factory=dict)
    evaluated: dict[str, Evaluated] = field(default_factory=dict)


def evaluate(rule: CompiledRule, found: SourceRows) -> Evaluation:
    """Run a rule over the rows found; references are still pending."""
    evaluation = Evaluation(rule, found)
    mismatches = rule.mismatches(found.describe)
    run = rule.evaluate
    for item, row in found.rows.items():
        evaluated = evaluation.evaluated[item] = run(row)
        evaluated.errors[:0] = mismatches
        if evaluated.errors:
            evaluation.failures[item] = ItemFailure.of_fields(evaluated.errors)
        else:
            evaluation.targets[item] = evaluated.targets
            if evaluated.warnings:
                evaluation.warnings[item] = ItemFailure.of_fields(evaluated.warnings)
    return evaluation


async def settle_references(
    client: RecordAccess, evaluations: Sequence[Evaluation]
) -> None:
    """Look up what the rows refer to, each object once for all evaluations, and put the ids in their place.

    Raises ClientError.
    """
    wanted: dict[Unique, dict[str, None]] = {}
    for evaluation in evaluations:
        for unique, keys in pending_keys(
            evaluation.rule, evaluation.targets.values()
        ).items():
            wanted.setdefault(unique, {}).update(keys)
    async with concurrently() as group:
        reads = {
            unique: group.create_task(query_all(client, key_statements(unique, keys)))
            for unique, keys in wanted.items()
        }
    found = {unique: index(unique[1], read.result()) for unique, read in reads.items()}
    for evaluation in evaluations:
        if not evaluation.rule.references:
            continue
        for item in list(evaluation.targets):
            errors = settle(evaluation.rule, evaluation.targets[item], found)
            if errors:
                evaluation.evaluated[item].errors += errors
                del evaluation.targets[item]
                evaluation.failures[item] = ItemFailure.of_fields(errors)


async def confirm(source: RecordAccess, object_name: str, found: SourceRows) -> None:
    """Raise OutdatedRead when source records have changed, or are gone, since they were read; else ClientError.

    Whoever writes last has then read what was the latest, however many connectors write the same.
    """
    modified = modified_field(object_name)
    head = f"SELECT id, {modified} FROM {object_name}"  # noqa: S608  VQL of names
    now = await query_all(source, statements(head, "id", [*found.rows, *found.missing]))
    known = {item: row.get(MODIFIED) for item, row in found.rows.items()}
    if {str(row["id"]): row.get(modified) for row in now} != known:
        raise OutdatedRead(f"{object_name} changed while it was transferred")
