"""Runs *CRM Metadata Sync*: metadata of Vault CRM becomes records, which are matched, and flagged when deleted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from services.connector.points.crm_copies import DELETED, SOURCE_STATUS, Copies
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
    Matches,
)
from services.connector.points.point import FIRST, SECOND, Point
from services.connector.points.saving import KeyedRows, save
from services.connector.points.transfer import Outcome, Transfer
from services.connector.rules.item_failures import ItemErrorType, ItemFailure
from services.connector.rules.point_share import PointShare
from services.connector.rules.rows import MODIFIED, by_any_key
from shared.client.results import text

GONE: Mapping[str, object] = {DELETED: True, SOURCE_STATUS: "inactive__v"}


async def transfer(unit: Transfer) -> Outcome:
    """Write the unit's records by the point's rule, and flag those that the source no longer has.

    :raises OutdatedRead: rows may be older than the stored records.
    :raises ConfigurationFault: the configuration does not provide for the unit.
    :raises RuleError: the rule of the point cannot be carried out.
    :raises ClientError: one of the calls fails.
    """
    copies = await Copies.read(unit)
    evaluation = await unit.evaluate(copies.rule, copies.found)
    await settle_references(unit.target, [evaluation])
    copies.outcome.note(evaluation)
    await _write(copies, evaluation)
    await _flag(copies)
    await copies.confirm()
    return copies.outcome


async def _write(
    copies: Copies,
    evaluation: Evaluation,
) -> None:
    wanted = {
        item: _identity(copies, item, targets[copies.object])
        for item, targets in evaluation.targets.items()
    }
    known = await _known(copies, wanted.values())
    matches = known.match_all(wanted)
    _note_problems(copies, matches)
    by_link, by_id = KeyedRows(), KeyedRows()
    owners: dict[str, str] = {}
    for item, record in matches.records.items():
        identity = wanted[item]
        ruled = evaluation.targets[item][copies.object]
        own = {CRM_ORG: copies.org, CRM_ID: item, DELETED: False}
        # A record that is matched and has no Link yet is known by its id only; writing it fills the Link.
        linked = record is None or identity.link in known.by_link
        key = identity.link if linked else str(record)
        rows = by_link if linked else by_id
        modified = text(copies.found.rows[item], MODIFIED)
        rows.add(key, modified, copies.origin(item, own, ruled))
        owners[key] = item
    results = await save(
        copies.unit,
        copies.object,
        by_id,
        "id",
        update=True,
    )
    copies.note(owners, results)
    results = await save(copies.unit, copies.object, by_link, LINK)
    copies.note(owners, results)


def _identity(
    copies: Copies,
    item: str,
    values: Mapping[str, object],
) -> Identity:
    return Identity(
        link=text(values, LINK),
        org=copies.org,
        crm_id=item,
        external_id=text(values, EXTERNAL_ID),
    )


def _note_problems(
    copies: Copies,
    matches: Matches,
) -> None:
    rule = copies.rule.name
    for item, problem in matches.problems.items():
        reason = f"Integration rule {rule}: {problem}"
        failure = ItemFailure(ItemErrorType.MATCH, reason, rule)
        copies.outcome.fail(item, failure)


async def _known(
    copies: Copies,
    wanted: Iterable[Identity],
) -> KnownRecords:
    """Return the existing records with an identifier of any of the identities."""
    keys: dict[str, dict[str, None]] = {LINK: {}, CRM_ID: {}, EXTERNAL_ID: {}}
    for identity in wanted:
        keys[LINK][identity.link] = None
        keys[CRM_ID][identity.crm_id] = None
        # An empty External ID would match every record that has none.
        if identity.external_id:
            keys[EXTERNAL_ID][identity.external_id] = None
    names = f"id, {LINK}, {CRM_ORG}, {CRM_ID}, {EXTERNAL_ID}"
    head = f"SELECT {names} FROM {copies.object}"  # noqa: S608  VQL of names
    texts = by_any_key(head, keys)
    return KnownRecords.read(await query_all(copies.unit.target, texts))


async def _flag(copies: Copies) -> None:
    """Flag the copies of records that the source no longer has; skip those that were never copied."""
    missing = copies.found.missing
    gone = KeyedRows()
    owners: dict[str, str] = {}
    for copy in await copies.made_from(missing):
        record = str(copy["id"])
        item = str(copy[CRM_ID])
        owners[record] = item
        # A deletion has no modified date, and so no source state.
        gone.add(record, "", copies.origin(item, GONE))
    results = await save(copies.unit, copies.object, gone, "id", update=True)
    copies.note(owners, results)
    copies.outcome.withdrawn.update(owners.values())
    copies.outcome.skipped.update(missing - set(owners.values()))


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
_SHARE = PointShare(
    keys=True,
    fills=frozenset({CRM_ORG, CRM_ID, DELETED}),
    requires=(LINK,),
)
POINTS = tuple(
    Point(name, transfer, order=order, flags_deletions=True, share=_SHARE)
    for name, order in _ORDER.items()
)
