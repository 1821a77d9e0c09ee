"""Compares Cases and Case Requests of finished inquiries with the rules, and corrects unchanged fields."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from services.connector.points.case_contacts import LINK
from services.connector.points.evaluation import Evaluation, Row, settle_references
from services.connector.points.inquiry_cases import CASE
from services.connector.points.inquiry_requests import CASE_REQUEST
from services.connector.points.planned_writes import PlannedWrites
from services.connector.points.saving import KeyedRows, Origin, Values, not_saved, save
from services.connector.points.transfer import Outcome, Transfer, stores_lineage
from services.connector.rules.rows import MODIFIED
from services.connector.vaults.record_access import OriginReads
from shared.client.results import RowResult, text
from shared.runtime.waiting import concurrently


class _RuledRecord(NamedTuple):
    """The fields that the rule evaluates to for one inquiry and target object, and the Link of the record."""

    link: str
    values: Values
    modified: str
    origin: Origin


async def correct(
    unit: Transfer,
    evaluation: Evaluation,
    finished: Mapping[str, Row],
    link: Callable[[str], str],
    outcome: Outcome,
) -> None:
    """Correct Cases and Case Requests of finished inquiries: write fields that differ and that only transfers have set.

    After its transfer a Case belongs to the agents: a field that anybody has changed keeps its value, whatever the
    rules evaluate to. ``link`` returns the Link of an inquiry's Case Request.

    :raises OutdatedRead: rows may be older than the stored records.
    :raises ClientError: one of the calls fails.
    """
    origins = unit.origins
    # Without lineage nobody knows who has set a field.
    keeps = stores_lineage(unit.configuration.targets.values())
    if origins is None or not finished or not keeps:
        return
    await settle_references(unit.target, [evaluation])
    for name in (CASE, CASE_REQUEST):
        made = list(_ruled_records(evaluation, finished, name, link))
        left = await _of_transfers(unit, origins, name, made)
        results = await save(unit, name, left, LINK, update=True)
        for each in made:
            result = results.get(each.link)
            if result is not None and not result.ok:
                failure = not_saved(name, evaluation.rule, result)
                outcome.fail(each.origin.item, failure)


def _ruled_records(
    evaluation: Evaluation,
    finished: Mapping[str, Row],
    object_name: str,
    link: Callable[[str], str],
) -> Iterator[_RuledRecord]:
    for item, row in finished.items():
        values = evaluation.targets.get(item, {}).get(object_name)
        # A Case that inquiries share has the values of the first of them.
        if not values or _shares_case(object_name, values, row):
            continue
        rule = evaluation.rule
        origin = Origin(item, rule.plan.object, item, rule.name, values)
        own = str(values.get(LINK) or link(item))
        yield _RuledRecord(own, values, text(row, MODIFIED), origin)


def _shares_case(object_name: str, values: Values, row: Row) -> bool:
    group = values.get(LINK)
    return object_name == CASE and group not in (None, row["global_id__sys"])


async def _of_transfers(
    unit: Transfer, origins: OriginReads, object_name: str, made: Sequence[_RuledRecord]
) -> KeyedRows:
    """Return rows of the fields that differ from the stored records and that only transfers have set."""
    left = KeyedRows()
    if not made:
        return left
    planned = PlannedWrites(unit.target, unit.configuration.targets)
    rows = [{**each.values, LINK: each.link} for each in made]
    results = await planned.update(object_name, rows, LINK)
    changed = {write.id: write.changes for write in planned.writes if write.changes}
    differing = [
        (each, str(result.id))
        for each, result in zip(made, results, strict=True)
        if _differs(result, changed)
    ]
    async with concurrently() as group:
        reads = [
            group.create_task(_unchanged_since_transfer(origins, object_name, record))
            for _, record in differing
        ]
    for (each, record), read in zip(differing, reads, strict=True):
        fields = {
            name: each.values[name]
            for name in changed[record]
            if name.partition(".")[0] in read.result()
        }
        if fields:
            left.add(each.link, each.modified, each.origin._replace(ruled=fields))
    return left


def _differs(result: RowResult, changed: Mapping[str | None, object]) -> bool:
    # A record that is there no more is missing, which is another finding.
    return result.ok and result.id in changed


async def _unchanged_since_transfer(
    origins: OriginReads, object_name: str, record: str
) -> set[str]:
    """Return the fields of a record that a transfer has set and that nobody has changed since."""
    rows = await origins.origins(object_name, record)
    return {text(row, "field_name") for row in rows if not row.get("changed_since")}
