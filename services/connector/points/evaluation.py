"""Rules run over fetched rows: every row's target values with its references settled, or its failure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from services.connector.concurrency import concurrently
from services.connector.processing.outcome import ItemFailure
from services.connector.processing.source import SourceRows, query_all
from services.connector.records import RecordAccess
from services.connector.rules.compiled import CompiledRule, Evaluated, Targets
from services.connector.rules.references import Unique, index, key_statements, pending_keys, settle

if TYPE_CHECKING:
    from services.connector.points.transfer import Transfer


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


def evaluate(unit: Transfer, rule: CompiledRule, found: SourceRows) -> Evaluation:
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
    unit.observe(evaluation)
    return evaluation


async def settle_references(client: RecordAccess, evaluations: Sequence[Evaluation]) -> None:
    """Look up what the rows refer to, each object once for all evaluations, and put the ids in their place.

    Raises ClientError.
    """
    wanted: dict[Unique, dict[str, None]] = {}
    for evaluation in evaluations:
        for unique, keys in pending_keys(evaluation.rule, evaluation.targets.values()).items():
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
