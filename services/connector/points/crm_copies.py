"""Copies of Vault CRM records: the one rule that makes them, the CRM Org they come from, and what became of each."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from services.connector.points.evaluation import (
    Row,
    SourceRows,
    confirm,
    fetch,
    query_all,
)
from services.connector.points.metadata_matching import CRM_ID, CRM_ORG
from services.connector.points.saving import KeyedRows, Origin, Values, not_saved, save
from services.connector.points.transfer import Outcome, Transfer
from services.connector.rules.compiled import CompiledRule
from services.connector.rules.rule import IntegrationRule
from services.connector.rules.vql_text import literal, statements
from services.connector.vaults.configuration import ConfigurationFault
from shared.client.results import RowResult
from shared.runtime.concurrency import concurrently

ORG = "crm_org__v"
ORG_KEY = "vault_id__v"
DELETED = "deleted_in_source__v"
SOURCE_STATUS = "source_status__v"
MODIFIED = "modified_date__v"


@dataclass(frozen=True, slots=True)
class Copies:
    """One unit's copies: the rule and object that they are made by, the id of their CRM Org, and what became of them.

    ``found`` is what the source Vault has of the unit's records.
    """

    unit: Transfer
    rule: CompiledRule
    found: SourceRows
    object: str
    org: str
    outcome: Outcome

    @classmethod
    async def read(cls, unit: Transfer) -> Copies:
        """Read the unit's source records by the point's rule.

        Raises ClientError; ConfigurationFault or RuleError when the configuration does not provide for it.
        """
        rule = _rule(unit)
        compiled = unit.configuration.compiled(unit.route, rule)
        async with concurrently() as group:
            fetching = group.create_task(fetch(unit.source, compiled.plan, unit.ids))
            finding_org = group.create_task(_org(unit))
        found = fetching.result()
        outcome = Outcome(skipped=set(found.filtered))
        return cls(
            unit, compiled, found, rule.target_objects[0], finding_org.result(), outcome
        )

    def origin(self, item: str, ruled: Values | None = None) -> Origin:
        """Where a row of a source record comes from: the fields that the rule gave it, else the point alone."""
        return Origin(
            item,
            self.unit.object,
            item,
            None if ruled is None else self.rule.name,
            ruled or {},
        )

    def note(self, owners: Mapping[str, str], results: Mapping[str, RowResult]) -> None:
        """Note the results of rows by key, whose source records are the keys' owners."""
        for key, result in results.items():
            if result.ok:
                self.outcome.succeed([owners[key]])
            else:
                self.outcome.fail(
                    owners[key], not_saved(self.object, self.rule.name, result)
                )

    async def made_from(self, items: Collection[str], *fields: str) -> list[Row]:
        """Id, CRM ID and these fields of the copies of source records; raises ClientError."""
        head = f"SELECT {', '.join(('id', CRM_ID, *fields))} FROM {self.object}"  # noqa: S608  VQL of names
        own = f"{CRM_ORG} = {literal(self.org)}"
        return (
            await query_all(
                self.unit.target, statements(head, CRM_ID, items, conditions=own)
            )
            if items
            else []
        )

    async def confirm(self) -> None:
        """As :func:`confirm`: the state that is kept with each copy has nothing to tell of a deletion.

        Nor of a copy that came or went with another state of its source record.
        """
        await confirm(self.unit.source, self.unit.object, self.found)


def _rule(unit: Transfer) -> IntegrationRule:
    rules = [
        rule
        for rule in unit.configuration.rules_of(unit.route)
        if rule.primary_query_object == unit.object
    ]
    if len(rules) != 1 or len(rules[0].target_objects) != 1:
        raise ConfigurationFault(
            f"Integration point {unit.route.point.api_name} needs exactly one active integration rule that reads "
            f"{unit.object} and writes one object; correct its rules"
        )
    return rules[0]


async def _org(unit: Transfer) -> str:
    """Id of the CRM Org of the source Vault, which is made when its first records come."""
    vault_id = str(unit.source.vault_id)
    rows = (
        await unit.target.query(
            f"SELECT id FROM {ORG} WHERE {ORG_KEY} = {literal(vault_id)}"  # noqa: S608
        )
    ).rows
    if rows:
        return str(rows[0]["id"])
    org = KeyedRows()
    org.add(vault_id, {"name__v": f"Vault CRM {vault_id}"}, "", Origin(unit.ids[0]))
    made = (await save(unit, ORG, org, ORG_KEY))[vault_id]
    if not made.ok:
        failure = not_saved(ORG, None, made)
        raise ConfigurationFault(failure.message)
    return made.id or ""
