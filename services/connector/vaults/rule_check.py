"""Checks the rules of integration points against the target Vault: its objects, picklists and records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from services.connector.rules.compiled import (
    CompiledRule,
    Unique,
    Unusable,
    index,
    key_statements,
)
from services.connector.rules.mapped_values import (
    PicklistValues,
    TargetValues,
    mapped_keys,
    value_findings,
)
from services.connector.rules.point_share import PointShare
from services.connector.rules.rule import IntegrationRule, RuleError
from services.connector.rules.rule_findings import (
    CheckedRule,
    RuleFinding,
    rule_findings,
)
from services.connector.vaults.configuration import Configuration, Route
from shared.client.client import VaultClient
from shared.client.errors import VaultRefused
from shared.client.results import Row, text
from shared.runtime.waiting import concurrently

Records = Mapping[str, str | Unusable]


@dataclass(frozen=True, slots=True)
class PointRules:
    """Rules of one integration point to check; ``documents`` says that the point fills fields of documents."""

    route: Route
    share: PointShare
    documents: bool
    rules: tuple[IntegrationRule, ...]

    def components(self) -> list[tuple[IntegrationRule, ...]]:
        """Return the rules of each component; one without a primary query object makes several with its name."""
        named: dict[str, list[IntegrationRule]] = {}
        for rule in self.rules:
            named.setdefault(rule.name, []).append(rule)
        return [tuple(rules) for rules in named.values()]


async def check_rules(
    target: VaultClient,
    configuration: Configuration,
    points: Iterable[PointRules],
) -> list[RuleFinding]:
    """Return the faults of rules; a rule that cannot be compiled has one finding, with the reason.

    :raises ClientError: a call fails.
    """
    configuration = await configuration.with_all_lookups()
    found: list[RuleFinding] = []
    checked: list[tuple[IntegrationRule, CompiledRule]] = []
    for point in points:
        for rules in point.components():
            try:
                component = _compiled(configuration, point, rules)
                found += _of_component(configuration, point, component)
            except RuleError as error:
                found.append(RuleFinding.of_error(error))
            else:
                checked += component.parts
    values = await _target_values(target, [ready for _, ready in checked])
    for rule, ready in checked:
        found += value_findings(rule, ready, configuration.targets, values)
    # The rules of one component share the field rules that name no query object.
    return list(dict.fromkeys(found))


def _compiled(
    configuration: Configuration,
    point: PointRules,
    rules: tuple[IntegrationRule, ...],
) -> CheckedRule:
    parts = []
    for rule in rules:
        ready = configuration.compiled(
            point.route,
            rule,
            documents=point.documents,
        )
        parts.append((rule, ready))
    return CheckedRule(rules[0].name, tuple(parts))


def _of_component(
    configuration: Configuration,
    point: PointRules,
    component: CheckedRule,
) -> list[RuleFinding]:
    connection = point.route.connection.api_name
    others = [rule for rule in configuration.rules if rule.connection == connection]
    found = rule_findings(component, point.share, configuration.targets, others)
    return list(found)


async def _target_values(
    target: VaultClient,
    rules: Sequence[CompiledRule],
) -> TargetValues:
    """Read the picklists, and the records that lookups and defaults of these rules map to."""
    wanted = mapped_keys(rules)
    async with concurrently() as group:
        picklists = group.create_task(target.configuration("Picklist"))
        reads = {
            unique: group.create_task(_records(target, unique, keys))
            for unique, keys in wanted.items()
        }
    records: dict[Unique, Records] = {}
    refused: dict[Unique, str] = {}
    for unique, read in reads.items():
        answer = read.result()
        if isinstance(answer, str):
            refused[unique] = answer
        else:
            records[unique] = answer
    values = {text(row, "name"): _picklist(row) for row in picklists.result()}
    return TargetValues(values, records, refused)


async def _records(
    target: VaultClient,
    unique: Unique,
    keys: Iterable[str],
) -> Records | str:
    """Return the records by key, or the error type by which the Vault refuses to find records by this field."""
    rows: list[Row] = []
    try:
        for statement in key_statements(unique, keys):
            answer = await target.query(statement)
            rows += answer.rows
    except VaultRefused as refusal:
        return refusal.type
    return index(unique[1], rows)


def _picklist(component: Row) -> PicklistValues:
    entries = component.get("Picklistentry")
    listed = entries if isinstance(entries, list) else []
    active = {text(entry, "name"): entry.get("active") is not False for entry in listed}
    # MDL calls the label of a value its value, too.
    names = {
        text(entry, shown): text(entry, "name")
        for entry in listed
        for shown in ("value", "label")
        if text(entry, shown)
    }
    return PicklistValues(active, names)
