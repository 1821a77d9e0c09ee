"""Runs the general point: writes exactly what the rules evaluate to, so that custom points need no code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from services.connector.points.evaluation import (
    Evaluation,
    SourceRows,
    confirm,
    fetch,
    missing_record,
    settle_references,
)
from services.connector.points.point import Point
from services.connector.points.saving import (
    KeyedRows,
    Origin,
    no_key,
    not_saved,
    save,
)
from services.connector.points.transfer import Outcome, Transfer
from services.connector.rules.item_failures import ItemErrorType
from services.connector.rules.object_metadata import DOCUMENTS
from services.connector.rules.order import Step, write_order
from services.connector.rules.rows import MODIFIED
from services.connector.rules.rule import IntegrationRule, RuleError
from services.connector.vaults.configuration import ConfigurationFault
from shared.client.results import RowResult, text
from shared.runtime.waiting import concurrently

Values = Mapping[str, object]


async def transfer(unit: Transfer) -> Outcome:
    """Fetch, evaluate and save the unit's records by every rule of the point that reads their object.

    A record that refers to another one of the unit is saved after it, in whatever order they come.

    :raises OutdatedRead: rows may be older than the stored records.
    :raises ConfigurationFault: the configuration does not provide for the unit.
    :raises RuleError: a rule of the point cannot be carried out.
    :raises ClientError: one of the calls fails.
    """
    rules = _rules(unit)
    outcome = await _attempt(unit, rules)
    waiting = _waiting(unit, rules, outcome)
    # Each attempt saves at least one record, or is the last.
    progress = bool(outcome.done)
    while waiting and progress:
        again = await _attempt(unit.part(waiting), rules)
        progress = bool(again.done)
        outcome.replace(waiting, again)
        waiting = _waiting(unit, rules, again)
    return outcome


async def _attempt(unit: Transfer, rules: Sequence[IntegrationRule]) -> Outcome:
    """Transfer the records whose references lead to records that exist in the target Vault; the others fail."""
    # Whatever is wrong with the configuration is found before the first read.
    compiled = [
        unit.configuration.compiled(
            unit.route,
            rule,
            documents=True,
        )
        for rule in rules
    ]
    steps = [_steps(unit, rule) for rule in rules]
    async with concurrently() as group:
        reads = [
            group.create_task(fetch(unit.source, rule.plan, unit.ids))
            for rule in compiled
        ]
    fetched = [read.result() for read in reads]
    evaluations = [
        await unit.evaluate(rule, found)
        for rule, found in zip(compiled, fetched, strict=True)
    ]
    # Once for all rules: they often refer to the same countries and products.
    await settle_references(unit.target, evaluations)
    outcome = Outcome()
    for evaluation, order in zip(evaluations, steps, strict=True):
        _note(unit, outcome, evaluation)
        await _Saving(unit, evaluation, outcome).save(order)
        # Documents keep no state of their source that could refuse an older row.
        if any(step.object == DOCUMENTS for step in order):
            await confirm(unit.source, unit.object, evaluation.found)
    _settle(outcome, unit.ids, fetched)
    return outcome


def _waiting(
    unit: Transfer,
    rules: Sequence[IntegrationRule],
    outcome: Outcome,
) -> list[str]:
    """Return the records that failed because of a reference to an object that the unit itself may write."""
    made = {name for rule in rules for name in rule.target_objects}
    own: set[tuple[str | None, str | None]] = set()
    for rule in rules:
        for part in rule.field_rules:
            described = unit.configuration.targets.get(part.target_object)
            target = described and described.fields.get(part.target_field)
            if target and target.object in made:
                own.add((rule.name, part.target_field))
    return [
        item
        for item, failure in outcome.failures.items()
        if failure.error_type is ItemErrorType.REFERENCE
        and (failure.rule, failure.target_field) in own
    ]


def _rules(unit: Transfer) -> list[IntegrationRule]:
    rules = unit.rules()
    if not rules:
        raise ConfigurationFault(
            f"No active integration rule of integration point {unit.route.point.api_name} reads {unit.object}; "
            "add or activate one, or correct the message's object"
        )
    return rules


def _steps(
    unit: Transfer,
    rule: IntegrationRule,
) -> tuple[Step, ...]:
    ruled: dict[str, set[str]] = {}
    for part in rule.field_rules:
        ruled.setdefault(part.target_object, set()).add(part.target_field)
    frozen = {name: frozenset(fields) for name, fields in ruled.items()}
    targets = unit.configuration.targets
    return write_order(rule.name, rule.target_objects, frozen, targets)


def _note(
    unit: Transfer,
    outcome: Outcome,
    evaluation: Evaluation,
) -> None:
    rule = evaluation.rule
    for item in evaluation.found.missing:
        failure = missing_record(rule.plan.object, item, rule.name)
        unit.note_missing(outcome, item, failure)
    outcome.note(evaluation)


def _settle(
    outcome: Outcome,
    ids: tuple[str, ...],
    fetched: list[SourceRows],
) -> None:
    """Record the records that any rule has read as done, and those that all rules have filtered out as skipped."""
    for item in ids:
        if item in outcome.failures:
            continue
        read = any(item in found.rows for found in fetched)
        (outcome.done if read else outcome.skipped).add(item)


@dataclass(slots=True)
class _Saving:
    """Saves the records of one rule; stores the ids of saved rows by target object and source record."""

    unit: Transfer
    evaluation: Evaluation
    outcome: Outcome
    saved: dict[str, dict[str, str]] = field(default_factory=dict)

    async def save(self, steps: tuple[Step, ...]) -> None:
        """Save the objects in order; a record that fails at one object is not saved to the following ones."""
        for step in steps:
            key = self._key(step.object)
            rows, owners = self._rows(step, key)
            # A field that the Vault sets itself cannot be filled in a new record, so such a record must exist.
            described = self.unit.configuration.targets[step.object].fields[key]
            update = not described.editable
            results = await save(
                self.unit,
                step.object,
                rows,
                key,
                update=update,
                searched=step.object not in self.evaluation.rule.keys,
            )
            self.saved[step.object] = self._note(
                step.object,
                owners,
                results,
            )

    def _key(self, object_name: str) -> str:
        rule = self.evaluation.rule
        key = rule.keys.get(object_name) or rule.found_by.get(object_name)
        if key is None:
            raise RuleError(
                rule.name,
                None,
                f"no field rule gives {object_name} a key; map the source id, global_id__sys or link__sys "
                "onto a unique field",
            )
        return key

    def _rows(
        self,
        step: Step,
        key: str,
    ) -> tuple[KeyedRows, dict[str, str]]:
        """Return the rows of one step's object by their values of the field ``key``, and these values by source record.

        A source record without a value fails.
        """
        rule = self.evaluation.rule
        rows = KeyedRows()
        owners: dict[str, str] = {}
        for item, targets in self.evaluation.targets.items():
            if item in self.outcome.failures:
                continue
            values = targets[step.object]
            value = values.get(key)
            # Without a key the row could only be created, and would be created again by every repetition.
            if value is None:
                self.outcome.fail(item, no_key(rule.name, step.object, key))
                continue
            # Parents are saved before: the order of the steps says so.
            linked = {link.field: self.saved[link.parent][item] for link in step.links}
            origin = Origin(item, rule.plan.object, item, rule.name, values, linked)
            modified = text(self.evaluation.found.rows[item], MODIFIED)
            rows.add(str(value), modified, origin)
            owners[item] = str(value)
        return rows, owners

    def _note(
        self,
        object_name: str,
        owners: Mapping[str, str],
        results: Mapping[str, RowResult],
    ) -> dict[str, str]:
        """Record the failures, and return the ids of saved rows by source record."""
        ids: dict[str, str] = {}
        for item, key in owners.items():
            result = results[key]
            if result.ok:
                ids[item] = result.id or ""
            else:
                failure = not_saved(
                    object_name,
                    self.evaluation.rule,
                    result,
                )
                self.outcome.fail(item, failure)
        return ids


def point(name: str) -> Point:
    """Return the general point for an API name without code of its own, such as that of a custom point."""
    return Point(name, transfer, fills_documents=True)
