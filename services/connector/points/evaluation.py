"""Reads a unit's source records, runs rules over them, and checks afterwards that they have not changed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

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
from services.connector.rules.item_failures import (
    ItemErrorType,
    ItemFailure,
)
from services.connector.rules.query_plan import QueryPlan
from services.connector.rules.rows import MODIFIED, Describe, modified_field, statements
from services.connector.vaults.record_access import RecordAccess, RecordReads
from shared.client.results import QueryResult
from shared.runtime.waiting import concurrently

Row = dict[str, object]


class OutdatedRead(Exception):
    """Raised when rows may be older than the stored records, or source records changed after they were read.

    The unit is then read and written again.
    """


@dataclass(frozen=True, slots=True)
class SourceRows:
    """Rows by record id, the ids that a query object rule leaves out, and the ids without a readable record.

    ``describe`` is the source Vault's description of the columns; None when nothing was read.
    """

    rows: dict[str, Row]
    filtered: frozenset[str]
    missing: frozenset[str]
    describe: Describe | None = None


@dataclass(slots=True)
class Evaluation:
    """Target values and failures by source record id; each record is in one of the two.

    ``warnings`` name the fields that were left unset in records that are transferred nevertheless. ``evaluated`` has
    the result of each row of ``found``, field by field, also of a failed record.
    """

    rule: CompiledRule
    found: SourceRows
    targets: dict[str, Targets] = field(default_factory=dict)
    failures: dict[str, ItemFailure] = field(default_factory=dict)
    warnings: dict[str, ItemFailure] = field(default_factory=dict)
    evaluated: dict[str, Evaluated] = field(default_factory=dict)

    def note(self, item: str) -> None:
        """Record the errors and warnings of a record's fields; remove the target values of one with errors."""
        evaluated = self.evaluated[item]
        if evaluated.errors:
            self.targets.pop(item, None)
            self.warnings.pop(item, None)
            self.failures[item] = ItemFailure.of_fields(evaluated.errors)
        elif evaluated.warnings:
            self.warnings[item] = ItemFailure.of_fields(evaluated.warnings)


async def query_all(
    client: RecordReads,
    statements: Iterable[str],
) -> list[Row]:
    """Run several statements at once and return their rows, in the statements' order.

    :raises ClientError: one of the calls fails.
    """
    answers = await _answers(client, statements)
    return [row for answer in answers for row in answer.rows]


async def _answers(
    client: RecordReads,
    statements: Iterable[str],
    *,
    describe: bool = False,
) -> list[QueryResult]:
    texts = list(statements)
    if len(texts) == 1:
        # By far the most frequent case, which needs no task of its own.
        answer = await client.query(texts[0], describe=describe)
        return [answer]
    async with concurrently() as group:
        reads = [
            group.create_task(client.query(text, describe=describe)) for text in texts
        ]
    return [read.result() for read in reads]


async def fetch(
    client: RecordAccess,
    plan: QueryPlan,
    ids: Collection[str],
) -> SourceRows:
    """Read the records by a rule's plan; a document's row has the modified date of its version.

    :raises ClientError: one of the calls fails.
    """
    read = await read_rows(client, plan, ids)
    absent = [item for item in ids if item not in read.rows]
    filtered: frozenset[str] = frozenset()
    # Only a filter makes a difference between a record that is left out and one that does not exist.
    if absent and plan.filtered:
        existing = await query_all(client, plan.existence(absent))
        filtered = frozenset(str(row["id"]) for row in existing)
    missing = frozenset(absent) - filtered
    return replace(read, filtered=filtered, missing=missing)


async def read_rows(
    client: RecordAccess,
    plan: QueryPlan,
    ids: Collection[str],
) -> SourceRows:
    """Read the records as ``fetch`` does, without finding out why some have no row.

    :raises ClientError: one of the calls fails.
    """
    # The description comes with the rows, so that declared types are checked without a call of its own.
    answers = await _answers(client, plan.statements(ids), describe=True)
    rows = {str(row["id"]): row for answer in answers for row in answer.rows}
    modified = modified_field(plan.object)
    if modified != MODIFIED:
        for row in rows.values():
            row[MODIFIED] = row[modified]
    describe = answers[0].describe if answers else None
    return SourceRows(rows, frozenset(), frozenset(), describe)


def missing_record(
    object_name: str,
    record: str,
    rule: str,
) -> ItemFailure:
    """Return the failure of an id without a readable record."""
    return ItemFailure(
        ItemErrorType.SOURCE,
        f"Integration rule {rule}: the source Vault has no {object_name} {record} that the connection's user may read; "
        "restore the record or give the user access to it",
        rule,
    )


def evaluate(
    rule: CompiledRule,
    found: SourceRows,
) -> Evaluation:
    """Run a rule over rows; references are still pending."""
    evaluation = Evaluation(rule, found)
    # A column of another type than the rule declares makes every row wrong, so it is an error of each.
    mismatches = rule.mismatches(found.describe)
    results = rule.evaluate_all(list(found.rows.values()))
    evaluation.evaluated = dict(zip(found.rows, results, strict=True))
    for item, evaluated in evaluation.evaluated.items():
        evaluation.targets[item] = evaluated.targets
        if mismatches:
            evaluated.errors[:0] = mismatches
        if evaluated.errors or evaluated.warnings:
            evaluation.note(item)
    return evaluation


class References:
    """Looks up the records that rows refer to by key, each key once, and replaces the references by ids.

    ``read`` has the records (id, key and status) of objects that were read in full before.
    """

    def __init__(
        self,
        client: RecordAccess,
        read: Mapping[Unique, Iterable[Row]] = MappingProxyType({}),
    ) -> None:
        self._client = client
        self._in_full = read.keys()
        self._rows: dict[Unique, list[Row]] = {
            u: list(rows) for u, rows in read.items()
        }
        self._asked: dict[Unique, set[str]] = {}

    async def look_up(self, evaluations: Sequence[Evaluation]) -> None:
        """Read the records that rows of these evaluations refer to, except those that were looked up before.

        :raises ClientError: one of the calls fails.
        """
        wanted: dict[Unique, dict[str, None]] = {}
        for evaluation in evaluations:
            pending = pending_keys(evaluation.rule, evaluation.targets.values())
            for unique, keys in pending.items():
                asked = self._asked.setdefault(unique, set())
                new = [key for key in keys if key not in asked]
                if new and unique not in self._in_full:
                    wanted.setdefault(unique, {}).update(dict.fromkeys(new))
                asked.update(new)
        async with concurrently() as group:
            reads = {
                unique: group.create_task(
                    query_all(self._client, key_statements(unique, keys))
                )
                for unique, keys in wanted.items()
            }
        for unique, task in reads.items():
            self._rows.setdefault(unique, []).extend(task.result())

    def settle(self, evaluations: Sequence[Evaluation]) -> None:
        """Replace the references of rows whose keys have been looked up; the others are errors of the rows."""
        # All evaluations share the answers: a country or a product is named by nearly every row.
        found = {unique: index(unique[1], rows) for unique, rows in self._rows.items()}
        for evaluation in evaluations:
            # Most rules refer to nothing by key.
            if not evaluation.rule.references:
                continue
            evaluated = evaluation.evaluated
            rows = {item: evaluated[item] for item in evaluation.targets}
            for item in settle(evaluation.rule, rows, found):
                evaluation.note(item)


async def settle_references(
    client: RecordAccess,
    evaluations: Sequence[Evaluation],
    read: Mapping[Unique, Iterable[Row]] = MappingProxyType({}),
) -> None:
    """Look up the records that rows refer to, each key once for all evaluations, and replace the references by ids.

    :raises ClientError: one of the calls fails.
    """
    references = References(client, read)
    await references.look_up(evaluations)
    references.settle(evaluations)


async def confirm(
    source: RecordAccess,
    object_name: str,
    found: SourceRows,
) -> None:
    """Check after the writes that the source records' modified dates are unchanged, for targets without a source state.

    Of several connectors that write the same records, the last to write has then read the latest state.

    :raises OutdatedRead: source records have changed or were deleted since they were read.
    :raises ClientError: one of the calls fails.
    """
    modified = modified_field(object_name)
    head = f"SELECT id, {modified} FROM {object_name}"  # noqa: S608  VQL of names
    items = [*found.rows, *found.missing]
    now = await query_all(source, statements(head, "id", items))
    known = {item: row.get(MODIFIED) for item, row in found.rows.items()}
    current = {str(row["id"]): row.get(modified) for row in now}
    if current != known:
        raise OutdatedRead(f"{object_name} changed while it was transferred")
