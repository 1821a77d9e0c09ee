"""CRM Metadata Sync: what Vault CRM keeps as metadata becomes records here, matched, and flagged when it is gone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from services.connector.points.crm_copies import (
    DELETED,
    MODIFIED,
    SOURCE_STATUS,
    Copies,
)
from services.connector.points.evaluation import (
    Evaluation,
    query_all,
    settle_references,
)
from services.connector.points.metadata_matching import (
    CRM_ID,
    CRM_ORG,
    EXTERNAL_ID,
    LINK,
    Identity,
    KnownRecords,
)
from services.connector.points.point import FIRST, SECOND, Point
from services.connector.points.saving import KeyedRows, save
from services.connector.points.transfer import Outcome, Transfer
from services.connector.rules.item_failures import ItemErrorType, ItemFailure
from services.connector.rules.vql_text import statements
from shared.client.results import text

GONE: Mapping[str, object] = {DELETED: True, SOURCE_STATUS: "inactive__v"}


async def transfer(unit: Transfer) -> Outcome:
    """Write the unit's records by the point's rule, and flag those that the source no longer has.

    Raises ClientError and OutdatedRead; ConfigurationFault or RuleError when the configuration does not provide for it.
    """
    copies = await Copies.read(unit)
    evaluation = unit.evaluate(copies.rule, copies.found)
    await settle_references(unit.target, [evaluation])
    for item, failure in evaluation.failures.items():
        copies.outcome.fail(item, failure)
    copies.outcome.warn(evaluation.warnings)
    await _write(copies, evaluation)
    await _flag(copies)
    await copies.confirm()
    return copies.outcome


async def _write(copies: Copies, evaluation: Evaluation) -> None:
    wanted = {
        item: Identity(text(values, LINK), copies.org, item, text(values, EXTERNAL_ID))
        for item, targets in evaluation.targets.items()
        for values in (targets[copies.object],)
    }
    known = await _known(copies, wanted.values())
    by_link, by_id = KeyedRows(), KeyedRows()
    owners: dict[str, str] = {}
    rule = evaluation.rule.name
    matches = known.match_all(wanted)
    for item, problem in matches.problems.items():
        copies.outcome.fail(
            item,
            ItemFailure(
                ItemErrorType.MATCH, f"Integration rule {rule}: {problem}", rule
            ),
        )
    for item, record in matches.records.items():
        identity = wanted[item]
        kept = {CRM_ORG: copies.org, CRM_ID: item, DELETED: False}
        values = {**evaluation.targets[item][copies.object], **kept}
        linked = record is None or identity.link in known.by_link
        key = identity.link if linked else str(record)
        owners[key] = item
        origin = copies.origin(item, evaluation.targets[item][copies.object])
        (by_link if linked else by_id).add(
            key, values, text(copies.found.rows[item], MODIFIED), origin
        )
    copies.note(
        owners, await save(copies.unit, copies.object, by_id, "id", update=True)
    )
    copies.note(owners, await save(copies.unit, copies.object, by_link, LINK))


async def _known(copies: Copies, wanted: Iterable[Identity]) -> KnownRecords:
    """The records that any of the identities may mean."""
    identities = list(wanted)
    head = f"SELECT id, {LINK}, {CRM_ORG}, {CRM_ID}, {EXTERNAL_ID} FROM {copies.object}"  # noqa: S608  VQL of names
    keys = {
        LINK: dict.fromkeys(identity.link for identity in identities),
        CRM_ID: dict.fromkeys(identity.crm_id for identity in identities),
        EXTERNAL_ID: dict.fromkeys(
            identity.external_id for identity in identities if identity.external_id
        ),
    }
    texts = [
        statement
        for field, values in keys.items()
        for statement in statements(head, field, values)
    ]
    return KnownRecords.read(await query_all(copies.unit.target, texts))


async def _flag(copies: Copies) -> None:
    """Flag the copies of records that the source no longer has; one that was never copied is nothing to do."""
    missing = copies.found.missing
    gone, owners = KeyedRows(), dict[str, str]()
    for copy in await copies.made_from(missing):
        owners[str(copy["id"])] = item = str(copy[CRM_ID])
        gone.add(str(copy["id"]), GONE, "", copies.origin(item))
    copies.note(owners, await save(copies.unit, copies.object, gone, "id", update=True))
    copies.outcome.skipped.update(set(missing) - set(owners.values()))


# Groups and configurations come before what refers to them.
_ORDER: Mapping[str, int] = {
    "crm_content_group_inbound__v": FIRST,
    "crm_detail_group_inbound__v": FIRST,
    "crm_product_group_inbound__v": FIRST,
    "crm_product_inbound__v": SECOND,
    "crm_survey_configuration_inbound__v": FIRST,
    "crm_content_type_inbound__v": FIRST,
    "crm_directory_inbound__v": FIRST,
    "crm_event_configuration_inbound__v": FIRST,
    "crm_event_topic_inbound__v": SECOND,
}
POINTS = tuple(
    Point(name, transfer, order=order, flags_deletions=True)
    for name, order in _ORDER.items()
)
