"""Runs *CLM Inbound*: approved documents of the Medical Vault become presentations and email documents of Vault CRM.

The Connection Countries of the Medical Vault name the countries in which a feature is used. The copy of a document is
made inactive when the document is withdrawn, when its country no longer uses the feature, or when the rule no longer
finds it, for example after a deletion. No copy is created only to be inactive.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

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
from services.connector.rules.point_share import PointShare
from services.connector.rules.rows import MODIFIED, literal, statements
from services.connector.vaults.configuration import ConfigurationFault
from shared.client.results import RowResult, text
from shared.runtime.waiting import concurrently

EMAIL_DOCUMENT = "approved_document__v"
COUNTRY, STATUS, INACTIVE = "country__v", "status__v", "inactive__v"
_USED = "SELECT country__v, feature__v FROM connection_country__v WHERE status__v = 'active__v'"


class Feature(StrEnum):
    """Features of Vault CRM that documents are published for."""

    CLM = "clm__v"
    APPROVED_EMAIL = "approved_email__v"


@dataclass(frozen=True, slots=True)
class Countries:
    """Ids of the countries in which this Vault CRM uses each feature."""

    by_feature: Mapping[str, frozenset[str]]

    def uses(
        self,
        object_name: str,
        country: str,
    ) -> bool:
        """Return whether a country's documents become this object; for an empty country, whether any country's do."""
        email = object_name == EMAIL_DOCUMENT
        feature = Feature.APPROVED_EMAIL if email else Feature.CLM
        used = self.by_feature.get(feature, frozenset())
        return country in used if country else bool(used)


async def transfer(unit: Transfer) -> Outcome:
    """Write the records that the rules derive from each document's newest version that is not a draft.

    :raises OutdatedRead: rows may be older than the stored records, or documents have changed meanwhile.
    :raises ConfigurationFault: the configuration does not provide for the unit.
    :raises RuleError: a rule of the point cannot be carried out.
    :raises ClientError: one of the calls fails.
    """
    rules = _rules(unit)
    found, countries = await _read(unit, rules)
    outcome = Outcome()
    publishing: set[str] = set()
    for rule, read in zip(rules, found, strict=True):
        content = _Content(unit, rule, outcome)
        publishing |= await content.publish(read, countries)
        await content.withdraw(set(unit.ids) - read.rows.keys())
    outcome.withdrawn.update(set(unit.ids) - publishing)
    await _confirm(unit, rules, found, countries)
    settled = outcome.done | outcome.failures.keys()
    # A document that is gone and was withdrawn here is done; one that was never here is missing.
    for item in found[0].missing - settled:
        failure = missing_record(DOCUMENTS, item, rules[0].name)
        unit.note_missing(outcome, item, failure)
    settled = outcome.done | outcome.failures.keys()
    outcome.skipped.update(set(unit.ids) - settled)
    return outcome


def _rules(unit: Transfer) -> list[CompiledRule]:
    rules = unit.rules()
    one_object_each = all(len(rule.target_objects) == 1 for rule in rules)
    if unit.object != DOCUMENTS or not rules or not one_object_each:
        raise ConfigurationFault(
            f"Integration point {unit.route.point.api_name} takes {DOCUMENTS}, by active integration rules that read "
            "them and write one object each; correct the message's object, or the rules"
        )
    # A Medical Vault whose documents have no country publishes them wherever the feature is used.
    documents = unit.configuration.sources[DOCUMENTS]
    extra = (COUNTRY,) if COUNTRY in documents.fields else ()
    return [
        unit.configuration.compiled(
            unit.route,
            rule,
            extra,
        )
        for rule in rules
    ]


async def _read(
    unit: Transfer,
    rules: Sequence[CompiledRule],
) -> tuple[list[SourceRows], Countries]:
    """Read the documents by each rule, and the countries in which features are used."""
    async with concurrently() as group:
        reads = [
            group.create_task(
                fetch(
                    unit.source,
                    rule.plan,
                    unit.ids,
                )
            )
            for rule in rules
        ]
        countries = group.create_task(_countries(unit))
    return [read.result() for read in reads], countries.result()


async def _countries(unit: Transfer) -> Countries:
    own = literal(str(unit.target.vault_id))
    used = await unit.source.query(f"{_USED} AND crm_org__vr.vault_id__v = {own}")
    found: dict[str, set[str]] = {}
    for row in used.rows:
        countries = found.setdefault(text(row, "feature__v"), set())
        countries.add(text(row, COUNTRY))
    by_feature = {name: frozenset(countries) for name, countries in found.items()}
    return Countries(by_feature)


@dataclass(frozen=True, slots=True)
class _Content:
    """The records of one rule's object in this Vault CRM, by the Global ID of the document that each is made from."""

    unit: Transfer
    rule: CompiledRule
    outcome: Outcome

    @property
    def object(self) -> str:
        """Return the object that the rule writes."""
        return self.rule.target_objects[0]

    async def publish(
        self,
        found: SourceRows,
        countries: Countries,
    ) -> set[str]:
        """Write the wanted documents, and make the copies of all others inactive.

        Return the ids of the wanted documents.
        """
        published = await self._published(map(_link, found.rows.values()))
        wanted = {
            item
            for item, row in found.rows.items()
            if countries.uses(self.object, text(row, COUNTRY))
        }
        # What is neither wanted nor here is not even evaluated: an error in it concerns nobody.
        rows = {
            item: row
            for item, row in found.rows.items()
            if item in wanted or _link(row) in published
        }
        evaluation = await self.unit.evaluate(self.rule, replace(found, rows=rows))
        await settle_references(self.unit.target, [evaluation])
        self.outcome.note(evaluation)
        content = KeyedRows()
        item_of: dict[str, str] = {}
        for item, targets in evaluation.targets.items():
            row = rows[item]
            link = _link(row)
            ruled = targets[self.object]
            own = {LINK: link} if item in wanted else {LINK: link, STATUS: INACTIVE}
            # A document that was withdrawn before it came is not brought here to be inactive.
            if link not in published and INACTIVE in (
                ruled.get(STATUS),
                own.get(STATUS),
            ):
                continue
            origin = Origin(item, DOCUMENTS, item, self.rule.name, ruled, own)
            content.add(link, text(row, MODIFIED), origin)
            item_of[link] = item
        results = await save(self.unit, self.object, content, LINK)
        self._note(item_of, results)
        return wanted

    async def withdraw(self, gone: Iterable[str]) -> None:
        """Make the copies of documents inactive that the rule no longer finds."""
        # The Global ID of a document that cannot be read is known all the same: it is made of ids.
        item_of = {f"{self.unit.source.vault_id}_{item}": item for item in gone}
        content = KeyedRows()
        for link in await self._published(item_of):
            item = item_of[link]
            # Without a modified date the row has no source state: a deletion leaves none to send.
            origin = Origin(item, DOCUMENTS, item, own={STATUS: INACTIVE})
            content.add(link, "", origin)
        results = await save(
            self.unit,
            self.object,
            content,
            LINK,
            update=True,
        )
        self._note(item_of, results)

    async def _published(self, links: Iterable[str]) -> set[str]:
        """Return the Links whose documents have copies in this Vault already."""
        head = f"SELECT {LINK} FROM {self.object}"  # noqa: S608  VQL of names
        texts = statements(head, LINK, links)
        rows = await query_all(self.unit.target, texts)
        return {text(row, LINK) for row in rows}

    def _note(
        self,
        item_of: Mapping[str, str],
        results: Mapping[str, RowResult],
    ) -> None:
        for link, result in results.items():
            item = item_of[link]
            if result.ok:
                self.outcome.succeed([item])
            else:
                failure = not_saved(self.object, self.rule, result)
                self.outcome.fail(item, failure)


async def _confirm(
    unit: Transfer,
    rules: Sequence[CompiledRule],
    found: Sequence[SourceRows],
    countries: Countries,
) -> None:
    """Check that the documents, and the countries that use the features, are still as they were read.

    :raises OutdatedRead: some have changed.
    :raises ClientError: one of the calls fails.
    """
    # The stored source state cannot reveal a deletion, which has no date, nor a change of a document without a copy.
    found_now, countries_now = await _read(unit, rules)
    before = [_states(read) for read in found]
    now = [_states(read) for read in found_now]
    if now != before or countries_now != countries:
        raise OutdatedRead(
            "documents, or where they are wanted, changed while they were transferred"
        )


def _states(found: SourceRows) -> dict[str, str]:
    return {item: text(row, MODIFIED) for item, row in found.rows.items()}


def _link(row: Row) -> str:
    return str(row["global_id__sys"])


POINT = Point(
    "clm_inbound__v",
    transfer,
    flags_deletions=True,
    share=PointShare(keys=True, fills=frozenset({LINK})),
)
