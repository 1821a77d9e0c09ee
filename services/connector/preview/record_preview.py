"""Single records taken through their integration point, as a transfer would, up to what would be saved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from services.connector.points.evaluation import Evaluation
from services.connector.points.points import transfer
from services.connector.points.transfer import Outcome, Transfer
from services.connector.preview.noted_writes import (
    CREATED,
    UNCHANGED,
    UPDATED,
    NotedWrites,
    Write,
)
from services.connector.rules.compiled import CompiledField, Evaluated, PendingReference
from services.connector.rules.item_failures import ItemFailure
from services.connector.vaults.configuration import Configuration, Route
from services.connector.vaults.record_access import RecordAccess
from shared.runtime.waiting import KeyLocks, concurrently

FAILED, SKIPPED = "failed", "skipped"


@dataclass(frozen=True)
class Plan:
    """What is to be previewed: records of an object at an integration point, under a configuration."""

    source: RecordAccess
    target: RecordAccess
    configuration: Configuration
    route: Route
    object: str


@dataclass
class RecordPreview:
    """What the transfer of one record would come to."""

    id: str
    outcome: Outcome
    evaluations: list[Evaluation] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)

    def answer(self, target: int) -> dict[str, object]:
        """As JSON; ``target`` is the id of the Vault whose records decide between created, updated and unchanged."""
        failure = self.outcome.failures.get(self.id)
        warning = self.outcome.warnings.get(self.id)
        return {
            "id": self.id,
            "result": self._result(target),
            "error": failure and failure_json(failure),
            "warning": warning and failure_json(warning),
            "rules": [
                part for evaluation in self.evaluations for part in _rows(evaluation)
            ],
            "writes": [write.answer() for write in self.writes],
        }

    def _result(self, target: int) -> str:
        if self.id in self.outcome.failures:
            return FAILED
        if self.id in self.outcome.skipped:
            return SKIPPED
        events = {write.event for write in self.writes if write.vault_id == target}
        return next(
            (event for event in (CREATED, UPDATED) if event in events), UNCHANGED
        )


async def preview(plan: Plan, ids: tuple[str, ...]) -> list[RecordPreview]:
    """Preview records, each as if it came alone, in the order given.

    Raises ClientError; ConfigurationFault or RuleError when the configuration does not provide for them.
    """
    async with concurrently() as group:
        tasks = [group.create_task(_one(plan, item)) for item in ids]
    return [task.result() for task in tasks]


async def _one(plan: Plan, item: str) -> RecordPreview:
    source = NotedWrites(plan.source, plan.configuration.sources)
    target = NotedWrites(plan.target, plan.configuration.targets)
    shown = RecordPreview(item, Outcome())
    unit = Transfer(
        source=source,
        target=target,
        configuration=plan.configuration,
        route=plan.route,
        object=plan.object,
        ids=(item,),
        locks=KeyLocks(),
        observe=shown.evaluations.append,
    )
    shown.outcome = await transfer(unit)
    shown.writes = [*target.noted, *source.noted]
    return shown


def failure_json(failure: ItemFailure) -> dict[str, object]:
    """A failure as it would be on a User Exception Item."""
    return {
        "type": failure.error_type.value,
        "message": failure.message,
        "rule": failure.rule,
        "field_rule": failure.field_rule,
        "target_field": failure.target_field,
    }


def _rows(evaluation: Evaluation) -> Iterator[dict[str, object]]:
    rule = evaluation.rule
    for item, evaluated in evaluation.evaluated.items():
        row = evaluation.found.rows[item]
        yield {
            "rule": rule.name,
            "object": rule.plan.object,
            "id": item,
            "fields": [_field(part, row, evaluated) for part in rule.fields],
        }


def _field(
    part: CompiledField, row: Mapping[str, object], evaluated: Evaluated
) -> dict[str, object]:
    problems = [
        p.message
        for p in (*evaluated.errors, *evaluated.warnings)
        if p.field_rule == part.rule
    ]
    value = evaluated.targets[part.target_object].get(part.sent_as)
    return {
        "field_rule": part.rule,
        "source_value": part.source(row),
        "reference_lookup": part.lookup.name if part.lookup else None,
        "target_object": part.target_object,
        "target_field": part.target_field,
        "target_value": value.key if isinstance(value, PendingReference) else value,
        "error": "\n".join(problems) or None,
    }
