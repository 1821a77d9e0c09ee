"""Takes single records through their integration point as a transfer would, but saves nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import assert_never

from services.connector.points.evaluation import Evaluation
from services.connector.points.planned_writes import PlannedWrites, Write, WriteEvent
from services.connector.points.points import mark_failed, reasons_of, transfer
from services.connector.points.transfer import Outcome, Transfer
from services.connector.rules.compiled import CompiledField, Evaluated
from services.connector.rules.conversion import PendingReference
from services.connector.rules.item_failures import ItemFailure
from services.connector.rules.rule_findings import RuleFinding
from services.connector.vaults.configuration import Configuration, Route
from services.connector.vaults.record_access import RecordReads
from shared.runtime.waiting import KeyLocks, concurrently


class PreviewResult(StrEnum):
    """The result that the transfer of one record would have; a value of the previews' JSON."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True)
class Plan:
    """The input of a preview: records of an object at an integration point, under a configuration."""

    source: RecordReads
    target: RecordReads
    configuration: Configuration
    route: Route
    object: str


@dataclass
class RecordPreview:
    """The result that the transfer of one record would have, with its writes."""

    id: str
    outcome: Outcome
    evaluations: list[Evaluation] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)

    def to_json(
        self,
        target: int,
        findings: Sequence[RuleFinding],
    ) -> dict[str, object]:
        """Return the preview as JSON; its result is that of the writes to the Vault with the id ``target``.

        ``findings`` are about the rules that the record goes through.
        """
        failure = self.outcome.failures.get(self.id)
        warning = self.outcome.warnings.get(self.id)
        rules = [row for evaluation in self.evaluations for row in _rows(evaluation)]
        return {
            "id": self.id,
            "result": self.result(target),
            "error": failure_json(failure) if failure else None,
            "warning": failure_json(warning) if warning else None,
            "rules": rules,
            "findings": [finding.to_json() for finding in findings],
            "writes": [write.to_json() for write in self.writes],
        }

    def result(self, target: int) -> PreviewResult:
        """Return the result that the transfer would have in the Vault with the id ``target``."""
        if self.id in self.outcome.failures:
            return PreviewResult.FAILED
        if self.id in self.outcome.skipped:
            return PreviewResult.SKIPPED
        # Writes to the source, which only note what was transferred, decide nothing.
        events = [write.event for write in self.writes if write.vault_id == target]
        return _strongest(events)


def _strongest(events: list[WriteEvent]) -> PreviewResult:
    """Return the result of several writes: creating a record outweighs changing one, and that outweighs no change."""
    result = PreviewResult.UNCHANGED
    for event in events:
        match event:
            case WriteEvent.CREATED:
                return PreviewResult.CREATED
            case WriteEvent.UPDATED:
                result = PreviewResult.UPDATED
            case WriteEvent.UNCHANGED:
                pass
            case _:
                assert_never(event)
    return result


async def preview(plan: Plan, ids: tuple[str, ...]) -> list[RecordPreview]:
    """Preview each record separately, and return the previews in the order of ``ids``.

    :raises ConfigurationFault: the configuration does not provide for the records.
    :raises RuleError: a rule cannot be carried out.
    :raises ClientError: a Vault is away or refuses.
    """
    async with concurrently() as group:
        tasks = [group.create_task(_preview_record(plan, item)) for item in ids]
    return [task.result() for task in tasks]


async def _preview_record(plan: Plan, item: str) -> RecordPreview:
    source = PlannedWrites(plan.source, plan.configuration.sources)
    target = PlannedWrites(plan.target, plan.configuration.targets)
    shown = RecordPreview(item, Outcome())
    unit = Transfer(
        source=source,
        target=target,
        configuration=plan.configuration,
        route=plan.route,
        object=plan.object,
        ids=(item,),
        # Locks of its own: what is written nowhere has to wait for no transfer, nor a transfer for it.
        locks=KeyLocks(),
        observe=shown.evaluations.append,
    )
    shown.outcome = await transfer(unit)
    mark = mark_failed(unit)
    if mark is not None and shown.outcome.failures:
        await mark(source, reasons_of(unit, shown.outcome), None)
    shown.writes = [*target.writes, *source.writes]
    return shown


def failure_json(failure: ItemFailure) -> dict[str, object]:
    """Return a failure as JSON, with the texts of its User Exception Item."""
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
        fields = [_field(part, row, evaluated) for part in rule.fields]
        yield {
            "rule": rule.name,
            "object": rule.plan.object,
            "id": item,
            "fields": fields,
        }


def _field(
    part: CompiledField,
    row: Mapping[str, object],
    evaluated: Evaluated,
) -> dict[str, object]:
    problems = (*evaluated.errors, *evaluated.warnings)
    messages = [each.message for each in problems if each.field_rule == part.rule]
    value = evaluated.targets[part.target_object].get(part.sent_as)
    # A reference by key gets its record's id only when it is saved.
    if isinstance(value, PendingReference):
        value = value.key
    return {
        "field_rule": part.rule,
        "source_value": part.source(row),
        "reference_lookup": part.lookup.name if part.lookup else None,
        "target_object": part.target_object,
        "target_field": part.target_field,
        "target_value": value,
        "error": "\n".join(messages) or None,
    }
