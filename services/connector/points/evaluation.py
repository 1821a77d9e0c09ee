"""Rules run over fetched rows: every row's target values with its references settled, or its failure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from services.connector.points.evaluated import Evaluation
from services.connector.points.outcome import ItemFailure
from services.connector.points.source import SourceRows, query_all
from services.connector.rules.compiled import CompiledRule
from services.connector.rules.pending_references import (
    Unique,
    index,
    key_statements,
    pending_keys,
    settle,
)
from services.connector.vaults.record_access import RecordAccess
from shared.runtime.concurrency import concurrently

if TYPE_CHECKING:
    from services.connector.points.transfer import Transfer


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
