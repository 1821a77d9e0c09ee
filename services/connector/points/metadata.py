"""CRM Metadata Sync: what Vault CRM keeps as metadata becomes records here, matched, and flagged when it is gone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from services.connector.concurrency import concurrently
from services.connector.configuration import ConfigurationFault, text
from services.connector.points.evaluation import Evaluation, evaluate, settle_references
from services.connector.points.metadata_matching import (
    CRM_ID,
    CRM_ORG,
    EXTERNAL_ID,
    LINK,
    AmbiguousMetadata,
    Identity,
    KnownRecords,
)
from services.connector.points.saving import KeyedRows, not_saved, save
from services.connector.points.transfer import Transfer
from services.connector.processing.outcome import ItemFailure, Outcome
from services.connector.processing.source import Row, fetch, query_all
from services.connector.rules.errors import ItemErrorType
from services.connector.rules.model import IntegrationRule
from services.connector.rules.statements import literal, statements
from shared.client.results import RowResult

# Groups and configurations come before what refers to them.
ORDER: Mapping[str, int] = {
    "crm_content_group_inbound__v": 0,
    "crm_detail_group_inbound__v": 0,
    "crm_product_group_inbound__v": 0,
    "crm_product_inbound__v": 1,
    "crm_survey_configuration_inbound__v": 0,
    "crm_content_type_inbound__v": 0,
    "crm_directory_inbound__v": 0,
    "crm_event_configuration_inbound__v": 0,
    "crm_event_topic_inbound__v": 1,
}
"""The integration points that this module serves, with their place in a run."""

ORG = "crm_org__v"
ORG_KEY = "vault_id__v"
GONE: Mapping[str, object] = {"deleted_in_source__v": True, "source_status__v": "inactive__v"}


@dataclass(frozen=True, slots=True)
class _Sync:
    """One unit: the object that is written, the CRM Org its records come from, and what became of them."""

    unit: Transfer
    object: str
    org: str
    outcome: Outcome

    def note(self, rule: str, owners: Mapping[str, str], results: Mapping[str, RowResult]) -> None:
        """Note the results of rows by key, whose source records are the keys' owners."""
        for key, result in results.items():
            if result.ok:
                self.outcome.succeed([owners[key]])
            else:
                self.outcome.fail(owners[key], not_saved(self.object, rule, result))


async def transfer(unit: Transfer) -> Outcome:
    """Write the unit's records by the point's rule, and flag those that the source no longer has.

    Raises ClientError and OutdatedRead; ConfigurationFault or RuleError when the configuration does not provide for it.
    """
    rule = _rule(unit)
    compiled = unit.configuration.compiled(unit.route, rule)
    async with concurrently() as group:
        fetching = group.create_task(fetch(unit.source, compiled.plan, unit.ids))
        finding_org = group.create_task(_org(unit))
    found = fetching.result()
    sync = _Sync(unit, rule.target_objects[0], finding_org.result(), Outcome(skipped=set(found.filtered)))
    evaluation = evaluate(unit, compiled, found)
    await settle_references(unit.target, [evaluation])
    for item, failure in evaluation.failures.items():
        sync.outcome.fail(item, failure)
    sync.outcome.warn(evaluation.warnings)
    await _write(sync, evaluation, found.rows)
    await _flag(sync, found.missing)
    return sync.outcome


def _rule(unit: Transfer) -> IntegrationRule:
    rules = [rule for rule in unit.configuration.rules_of(unit.route) if rule.primary_query_object == unit.object]
    if len(rules) != 1 or len(rules[0].target_objects) != 1:
        raise ConfigurationFault(
            f"Integration point {unit.route.point.api_name} needs exactly one active integration rule that reads "
            f"{unit.object} and writes one object; correct its rules"
        )
    return rules[0]


async def _org(unit: Transfer) -> str:
    """Id of the CRM Org of the source Vault, which is made when its first metadata comes."""
    vault_id = str(unit.source.vault_id)
    rows = (await unit.target.query(f"SELECT id FROM {ORG} WHERE {ORG_KEY} = {literal(vault_id)}")).rows  # noqa: S608
    if rows:
        return str(rows[0]["id"])
    row = {ORG_KEY: vault_id, "name__v": f"Vault CRM {vault_id}"}
    (made,) = await unit.target.upsert(ORG, [row], id_param=ORG_KEY)
    if not made.ok:
        failure = not_saved(ORG, None, made)
        raise ConfigurationFault(failure.message)
    return made.id or ""


async def _write(sync: _Sync, evaluation: Evaluation, rows: Mapping[str, Row]) -> None:
    wanted = {
        item: Identity(text(values, LINK), sync.org, item, text(values, EXTERNAL_ID))
        for item, targets in evaluation.targets.items()
        for values in (targets[sync.object],)
    }
    known = await _known(sync, wanted.values())
    by_link, by_id = KeyedRows(), KeyedRows()
    owners: dict[str, str] = {}
    rule = evaluation.rule.name
    for item, identity in wanted.items():
        try:
            record = known.match(identity)
        except AmbiguousMetadata as problem:
            failure = ItemFailure(ItemErrorType.MATCH, f"Integration rule {rule}: {problem}", rule)
            sync.outcome.fail(item, failure)
            continue
        kept = {CRM_ORG: sync.org, CRM_ID: item, "deleted_in_source__v": False}
        values = {**evaluation.targets[item][sync.object], **kept}
        linked = record is None or identity.link in known.by_link
        key = identity.link if linked else str(record)
        owners[key] = item
        (by_link if linked else by_id).add(key, values, text(rows[item], "modified_date__v"))
    sync.note(rule, owners, await save(sync.unit, sync.object, by_id, "id", update=True))
    sync.note(rule, owners, await save(sync.unit, sync.object, by_link, LINK))


async def _known(sync: _Sync, wanted: Iterable[Identity]) -> KnownRecords:
    """The records that any of the identities may mean."""
    identities = list(wanted)
    head = f"SELECT id, {LINK}, {CRM_ORG}, {CRM_ID}, {EXTERNAL_ID} FROM {sync.object}"  # noqa: S608  VQL of names
    keys = {
        LINK: dict.fromkeys(identity.link for identity in identities),
        CRM_ID: dict.fromkeys(identity.crm_id for identity in identities),
        EXTERNAL_ID: dict.fromkeys(identity.external_id for identity in identities if identity.external_id),
    }
    texts = [statement for field, values in keys.items() for statement in statements(head, field, values)]
    return KnownRecords.read(await query_all(sync.unit.target, texts))


async def _flag(sync: _Sync, missing: Collection[str]) -> None:
    """Flag the copies of records that the source no longer has; one that was never copied is nothing to do."""
    head = f"SELECT id, {CRM_ID} FROM {sync.object}"  # noqa: S608  VQL of names
    own = f"{CRM_ORG} = {literal(sync.org)}"
    copies = await query_all(sync.unit.target, statements(head, CRM_ID, missing, conditions=own)) if missing else []
    gone, owners = KeyedRows(), dict[str, str]()
    for copy in copies:
        owners[str(copy["id"])] = str(copy[CRM_ID])
        gone.add(str(copy["id"]), GONE, "")
    sync.note(sync.object, owners, await save(sync.unit, sync.object, gone, "id", update=True))
    sync.outcome.skipped.update(set(missing) - set(owners.values()))
