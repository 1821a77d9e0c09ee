"""Copies records of Vault CRM by the point's one rule, for the CRM Org that they come from, and records the results."""

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
from services.connector.points.saving import (
    NOTHING,
    KeyedRows,
    Origin,
    Values,
    not_saved,
    save,
)
from services.connector.points.transfer import Outcome, Transfer
from services.connector.rules.compiled import CompiledRule
from services.connector.rules.rows import literal, statements
from services.connector.rules.rule import IntegrationRule
from services.connector.vaults.configuration import ConfigurationFault
from shared.client.results import RowResult
from shared.runtime.waiting import concurrently

ORG = "crm_org__v"
ORG_KEY = "vault_id__v"
DELETED = "deleted_in_source__v"
SOURCE_STATUS = "source_status__v"


@dataclass(frozen=True, slots=True)
class Copies:
    """The copies of one unit: their rule, target object, CRM Org (id) and outcome.

    ``found`` are the source records of the unit.
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

        :raises ConfigurationFault: the configuration does not provide for the unit.
        :raises RuleError: the rule cannot be carried out.
        :raises ClientError: one of the calls fails.
        """
        rule = _rule(unit)
        compiled = unit.configuration.compiled(unit.route, rule)
        async with concurrently() as group:
            fetching = group.create_task(
                fetch(
                    unit.source,
                    compiled.plan,
                    unit.ids,
                )
            )
            finding_org = group.create_task(_org(unit))
        found = fetching.result()
        outcome = Outcome(skipped=set(found.filtered))
        object_name = rule.target_objects[0]
        return cls(
            unit,
            compiled,
            found,
            object_name,
            finding_org.result(),
            outcome,
        )

    def origin(
        self,
        item: str,
        own: Values,
        ruled: Values | None = None,
    ) -> Origin:
        """Return the origin of a row: the rule has filled its fields ``ruled``, the point itself its ``own`` ones."""
        rule = None if ruled is None else self.rule.name
        return Origin(item, self.unit.object, item, rule, ruled or NOTHING, own)

    def note(
        self,
        owners: Mapping[str, str],
        results: Mapping[str, RowResult],
    ) -> None:
        """Record the results of rows in the outcome; ``results`` and ``owners`` (source record ids) are by key."""
        for key, result in results.items():
            item = owners[key]
            if result.ok:
                self.outcome.succeed([item])
            else:
                failure = not_saved(self.object, self.rule, result)
                self.outcome.fail(item, failure)

    async def made_from(self, items: Collection[str], *fields: str) -> list[Row]:
        """Return id, CRM ID and these fields of the copies of source records.

        :raises ClientError: one of the calls fails.
        """
        if not items:
            return []
        names = ", ".join(("id", CRM_ID, *fields))
        head = f"SELECT {names} FROM {self.object}"  # noqa: S608  VQL of names
        # CRM ids are unique in their own Vault only.
        own = f"{CRM_ORG} = {literal(self.org)}"
        texts = statements(head, CRM_ID, items, conditions=own)
        return await query_all(self.unit.target, texts)

    async def confirm(self) -> None:
        """Check that the source records are still as they were read.

        :raises OutdatedRead: some have changed or were deleted.
        :raises ClientError: one of the calls fails.
        """
        # The state that is kept with each copy shows no deletion, nor a copy that came or went with another state.
        await confirm(self.unit.source, self.unit.object, self.found)


def _rule(unit: Transfer) -> IntegrationRule:
    rules = unit.rules()
    # Copies are matched, and flagged, in one object; a second rule would leave open in which.
    if len(rules) != 1 or len(rules[0].target_objects) != 1:
        raise ConfigurationFault(
            f"Integration point {unit.route.point.api_name} needs exactly one active integration rule that reads "
            f"{unit.object} and writes one object; correct its rules"
        )
    return rules[0]


async def _org(unit: Transfer) -> str:
    """Return the id of the source Vault's CRM Org; create it for the first records."""
    vault_id = str(unit.source.vault_id)
    head = f"SELECT id FROM {ORG}"  # noqa: S608  VQL of names
    known = await unit.target.query(f"{head} WHERE {ORG_KEY} = {literal(vault_id)}")
    if known.rows:
        return str(known.rows[0]["id"])
    org = KeyedRows()
    name = {"name__v": f"Vault CRM {vault_id}"}
    # The org belongs to no single record; its lineage names the first of the unit that made it.
    org.add(vault_id, "", Origin(unit.ids[0], own=name))
    results = await save(unit, ORG, org, ORG_KEY)
    made = results[vault_id]
    if not made.ok:
        failure = not_saved(ORG, None, made)
        raise ConfigurationFault(failure.message)
    return made.id or ""
