"""The general point: what the rules say, and nothing else; a custom integration point works without code."""

from __future__ import annotations

from collections.abc import Mapping

from services.connector.points.evaluation import (
    Evaluation,
    SourceRows,
    confirm,
    fetch,
    missing_record,
    settle_references,
)
from services.connector.points.point import Point
from services.connector.points.saving import KeyedRows, Origin, no_key, not_saved, save
from services.connector.points.transfer import Outcome, Transfer
from services.connector.rules.object_metadata import DOCUMENTS
from services.connector.rules.order import Step, write_order
from services.connector.rules.rule import IntegrationRule, RuleError
from services.connector.vaults.configuration import ConfigurationFault
from shared.client.results import RowResult, text
from shared.runtime.concurrency import concurrently


async def transfer(unit: Transfer) -> Outcome:
    """Fetch, evaluate and save the unit's records by every rule of the point that reads their object.

    Raises ClientError, OutdatedRead, and ConfigurationFault or RuleError when the rules cannot be carried out.
    """
    rules = [
        rule
        for rule in unit.configuration.rules_of(unit.route)
        if rule.primary_query_object == unit.object
    ]
    if not rules:
        raise ConfigurationFault(
            f"No active integration rule of integration point {unit.route.point.api_name} reads {unit.object}; "
            "add or activate one, or correct the message's object"
        )
    compiled = [
        unit.configuration.compiled(unit.route, rule, documents=True) for rule in rules
    ]
    steps = [_steps(unit, rule) for rule in rules]
    async with concurrently() as group:
        reads = [
            group.create_task(fetch(unit.source, rule.plan, unit.ids))
            for rule in compiled
        ]
    fetched = [read.result() for read in reads]
    evaluations = [
        unit.evaluate(rule, found)
        for rule, found in zip(compiled, fetched, strict=True)
    ]
    await settle_references(unit.target, evaluations)
    outcome = Outcome()
    for found, evaluation, order in zip(fetched, evaluations, steps, strict=True):
        _note(unit, outcome, found, evaluation)
        await _save(unit, evaluation, found, order, outcome)
        if any(step.object == DOCUMENTS for step in order):
            await confirm(
                unit.source, unit.object, found
            )  # documents keep no state of their source
    _settle(outcome, unit.ids, fetched)
    return outcome


def _steps(unit: Transfer, rule: IntegrationRule) -> tuple[Step, ...]:
    ruled: dict[str, set[str]] = {}
    for field_rule in rule.field_rules:
        ruled.setdefault(field_rule.target_object, set()).add(field_rule.target_field)
    frozen = {name: frozenset(fields) for name, fields in ruled.items()}
    return write_order(
        rule.name, rule.target_objects, frozen, unit.configuration.targets
    )


def _note(
    unit: Transfer, outcome: Outcome, found: SourceRows, evaluation: Evaluation
) -> None:
    rule = evaluation.rule
    for item in found.missing:
        unit.note_missing(
            outcome, item, missing_record(rule.plan.object, item, rule.name)
        )
    for item, failure in evaluation.failures.items():
        outcome.fail(item, failure)
    outcome.warn(evaluation.warnings)


def _settle(outcome: Outcome, ids: tuple[str, ...], fetched: list[SourceRows]) -> None:
    for item in ids:
        if item in outcome.failures:
            continue
        written = any(item in found.rows for found in fetched)
        (outcome.done if written else outcome.skipped).add(item)


async def _save(
    unit: Transfer,
    evaluation: Evaluation,
    found: SourceRows,
    steps: tuple[Step, ...],
    outcome: Outcome,
) -> None:
    """Save the objects in order; a record that fails at one of them goes no further."""
    saved: dict[str, dict[str, str]] = {}
    rule = evaluation.rule
    for step in steps:
        key = rule.keys.get(step.object)
        if key is None:
            raise RuleError(
                rule.name,
                None,
                f"no field rule gives {step.object} a key; map the source id, global_id__sys or link__sys "
                "onto a unique field",
            )
        rows, owners = KeyedRows(), dict[str, str]()
        for item, targets in evaluation.targets.items():
            if item in outcome.failures:
                continue
            values = targets[step.object]
            value = values.get(key)
            if value is None:
                outcome.fail(item, no_key(rule.name, step.object, key))
                continue
            linked = {link.field: saved[link.parent][item] for link in step.links}
            origin = Origin(item, rule.plan.object, item, rule.name, values)
            rows.add(
                str(value),
                {**values, **linked},
                text(found.rows[item], "modified_date__v"),
                origin,
            )
            owners[item] = str(value)
        # A field that the Vault sets itself cannot be given to a new record, so such a record must exist.
        update = not unit.configuration.targets[step.object].fields[key].editable
        results = await save(unit, step.object, rows, key, update=update)
        saved[step.object] = _ids(step.object, rule.name, owners, results, outcome)


def _ids(
    object_name: str,
    rule: str,
    owners: Mapping[str, str],
    results: Mapping[str, RowResult],
    outcome: Outcome,
) -> dict[str, str]:
    ids: dict[str, str] = {}
    for item, key in owners.items():
        result = results[key]
        if result.ok:
            ids[item] = result.id or ""
        else:
            outcome.fail(item, not_saved(object_name, rule, result))
    return ids


def point(name: str) -> Point:
    """Return the point of an API name that is not registered: a custom one, or one whose rules say all."""
    return Point(name, transfer, fills_documents=True)
