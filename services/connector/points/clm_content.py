"""CLM Inbound, in Vault CRM: approved documents of the Medical Vault become its presentations and email documents.

The Connection Countries of the Medical Vault say where a feature is used. A document that is withdrawn, or of a country
in which the feature is no longer used, or that its rule no longer finds, as when it or the version that was approved is
deleted, is made inactive here; one that was never here is not brought for that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from services.connector.points.case_contacts import LINK
from services.connector.points.evaluation import (
    OutdatedRead,
    Row,
    SourceRows,
    fetch,
    missing_record,
    query_all,
    settle_references,
)
from services.connector.points.point import Point
from services.connector.points.saving import KeyedRows, Origin, not_saved, save
from services.connector.points.transfer import Outcome, Transfer
from services.connector.rules.compiled import CompiledRule
from services.connector.rules.object_metadata import DOCUMENTS
from services.connector.rules.vql_text import MODIFIED, literal, statements
from services.connector.vaults.configuration import ConfigurationFault
from shared.client.results import RowResult, text
from shared.runtime.concurrency import concurrently

EMAIL_DOCUMENT = "approved_document__v"
CLM, APPROVED_EMAIL = "clm__v", "approved_email__v"
COUNTRY, STATUS, INACTIVE = "country__v", "status__v", "inactive__v"
USED = "SELECT country__v, feature__v FROM connection_country__v WHERE status__v = 'active__v'"


@dataclass(frozen=True, slots=True)
class Countries:
    """Ids of the countries in which this Vault CRM uses each feature."""

    by_feature: Mapping[str, frozenset[str]]

    def wants(self, object_name: str, country: str) -> bool:
        """Whether a document is wanted as this object; one of no country is, where the feature is used at all."""
        used = self.by_feature.get(
            APPROVED_EMAIL if object_name == EMAIL_DOCUMENT else CLM, frozenset()
        )
        return country in used if country else bool(used)


async def transfer(unit: Transfer) -> Outcome:
    """Write what the rules make of the newest version of each document that is no draft.

    Raises ClientError and OutdatedRead; ConfigurationFault or RuleError when the configuration does not provide for it.
    """
    rules = _rules(unit)
    async with concurrently() as group:
        reads = [
            group.create_task(fetch(unit.source, rule.plan, unit.ids)) for rule in rules
        ]
        reading = group.create_task(_countries(unit))
    outcome, found, countries = (
        Outcome(),
        [read.result() for read in reads],
        reading.result(),
    )
    for rule, read in zip(rules, found, strict=True):
        await _publish(unit, rule, read, countries, outcome)
        await _withdraw(unit, rule, set(unit.ids) - read.rows.keys(), outcome)
    await _confirm(unit, rules, found, countries)
    for item in found[0].missing - outcome.done - outcome.failures.keys():
        unit.note_missing(outcome, item, missing_record(DOCUMENTS, item, rules[0].name))
    outcome.skipped.update(set(unit.ids) - outcome.done - outcome.failures.keys())
    return outcome


def _rules(unit: Transfer) -> list[CompiledRule]:
    rules = [
        rule
        for rule in unit.configuration.rules_of(unit.route)
        if rule.primary_query_object == unit.object
    ]
    if (
        unit.object != DOCUMENTS
        or not rules
        or any(len(rule.target_objects) != 1 for rule in rules)
    ):
        raise ConfigurationFault(
            f"Integration point {unit.route.point.api_name} takes {DOCUMENTS}, by active integration rules that read "
            "them and write one object each; correct the message's object, or the rules"
        )
    extra = (
        (COUNTRY,) if COUNTRY in unit.configuration.sources[DOCUMENTS].fields else ()
    )
    return [unit.configuration.compiled(unit.route, rule, extra) for rule in rules]


async def _countries(unit: Transfer) -> Countries:
    own = literal(str(unit.target.vault_id))
    found: dict[str, set[str]] = {}
    for row in (
        await unit.source.query(f"{USED} AND crm_org__vr.vault_id__v = {own}")
    ).rows:
        found.setdefault(text(row, "feature__v"), set()).add(text(row, COUNTRY))
    return Countries(
        {feature: frozenset(countries) for feature, countries in found.items()}
    )


async def _publish(
    unit: Transfer,
    rule: CompiledRule,
    found: SourceRows,
    countries: Countries,
    outcome: Outcome,
) -> None:
    (object_name,) = rule.target_objects
    published = await _published(unit, object_name, map(_link, found.rows.values()))
    wanted = {
        item
        for item, row in found.rows.items()
        if countries.wants(object_name, text(row, COUNTRY))
    }
    rows = {
        item: row
        for item, row in found.rows.items()
        if item in wanted or _link(row) in published
    }
    evaluation = unit.evaluate(rule, replace(found, rows=rows))
    await settle_references(unit.target, [evaluation])
    for item, failure in evaluation.failures.items():
        outcome.fail(item, failure)
    outcome.warn(evaluation.warnings)
    content, item_of = KeyedRows(), dict[str, str]()
    for item, targets in evaluation.targets.items():
        ruled, link = targets[object_name], _link(rows[item])
        values = {**ruled, LINK: link} | ({} if item in wanted else {STATUS: INACTIVE})
        if link in published or values.get(STATUS) != INACTIVE:
            origin = Origin(item, DOCUMENTS, item, rule.name, ruled)
            content.add(link, values, text(rows[item], MODIFIED), origin)
            item_of[link] = item
    _note(outcome, rule, item_of, await save(unit, object_name, content, LINK))


async def _withdraw(
    unit: Transfer, rule: CompiledRule, gone: Iterable[str], outcome: Outcome
) -> None:
    """Make inactive what is here of documents that the rule no longer finds; their Global ID is known still."""
    (object_name,) = rule.target_objects
    item_of = {f"{unit.source.vault_id}_{item}": item for item in gone}
    content = KeyedRows()
    for link in await _published(unit, object_name, item_of):
        content.add(
            link,
            {STATUS: INACTIVE},
            "",
            Origin(item_of[link], DOCUMENTS, item_of[link]),
        )
    _note(
        outcome,
        rule,
        item_of,
        await save(unit, object_name, content, LINK, update=True),
    )


def _note(
    outcome: Outcome,
    rule: CompiledRule,
    item_of: Mapping[str, str],
    results: Mapping[str, RowResult],
) -> None:
    for link, result in results.items():
        if result.ok:
            outcome.succeed([item_of[link]])
        else:
            outcome.fail(
                item_of[link], not_saved(rule.target_objects[0], rule.name, result)
            )


async def _confirm(
    unit: Transfer,
    rules: Iterable[CompiledRule],
    found: Iterable[SourceRows],
    countries: Countries,
) -> None:
    """Raise OutdatedRead when documents, or where they are wanted, have changed since they were read; else ClientError.

    The source state that is kept with a record cannot tell that of a deletion, which has none, nor of a record that
    was not made because its document was not wanted.
    """
    async with concurrently() as group:
        reads = [
            group.create_task(fetch(unit.source, rule.plan, unit.ids)) for rule in rules
        ]
        reading = group.create_task(_countries(unit))
    now = [_states(read.result()) for read in reads]
    if now != [_states(read) for read in found] or reading.result() != countries:
        raise OutdatedRead(
            "documents, or where they are wanted, changed while they were transferred"
        )


def _states(found: SourceRows) -> dict[str, str]:
    return {item: text(row, MODIFIED) for item, row in found.rows.items()}


async def _published(
    unit: Transfer, object_name: str, links: Iterable[str]
) -> set[str]:
    """Those of the Links under which documents are here already."""
    head = f"SELECT {LINK} FROM {object_name}"  # noqa: S608  VQL of names
    known = await query_all(unit.target, statements(head, LINK, links))
    return {text(row, LINK) for row in known}


def _link(row: Row) -> str:
    return str(row["global_id__sys"])


POINT = Point("clm_inbound__v", transfer, flags_deletions=True)
