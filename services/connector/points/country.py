"""Runs *Country*: Connection Settings of Vault CRM become a Connection Country for each country that uses a feature."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from services.connector.points.crm_copies import DELETED, SOURCE_STATUS, Copies
from services.connector.points.evaluation import Evaluation, Row, settle_references
from services.connector.points.metadata_matching import CRM_ID, CRM_ORG, LINK
from services.connector.points.point import Point
from services.connector.points.saving import KeyedRows, no_key, save
from services.connector.points.transfer import Outcome, Transfer
from services.connector.rules.compiled import CompiledRule
from services.connector.rules.point_share import PointShare
from services.connector.rules.rows import MODIFIED, Values
from services.connector.rules.rule import RuleError
from shared.client.results import text

COUNTRY, FEATURE = "country__v", "feature__v"

ACTIVE: Mapping[str, object] = {"status__v": "active__v"}
TAKEN_OUT: Mapping[str, object] = {
    "status__v": "inactive__v",
    SOURCE_STATUS: "inactive__v",
}
GONE: Mapping[str, object] = {**TAKEN_OUT, DELETED: True}


class Part(NamedTuple):
    """A source record's row for one value of a multi-value field, in which the field has only that value."""

    item: str
    value: str
    row: Row

    @property
    def key(self) -> str:
        """Return the part's id in its unit."""
        return f"{self.item} {self.value}"


async def transfer(unit: Transfer) -> Outcome:
    """Write a record for each country of the unit's settings, and inactivate those of countries no longer among them.

    Nothing is written for settings with a country that cannot be mapped.

    :raises OutdatedRead: rows may be older than the stored records.
    :raises ConfigurationFault: the configuration does not provide for the unit.
    :raises RuleError: the rule of the point cannot be carried out.
    :raises ClientError: one of the calls fails.
    """
    copies = await Copies.read(unit)
    column = spread_field(copies.rule, COUNTRY)
    parts = {part.key: part for part in spread(copies.found.rows, column)}
    rows = {key: part.row for key, part in parts.items()}
    evaluation = await unit.evaluate(copies.rule, replace(copies.found, rows=rows))
    await settle_references(unit.target, [evaluation])
    # The evaluation is by part; the outcome is by setting.
    for key, failure in evaluation.failures.items():
        copies.outcome.fail(parts[key].item, failure)
    warnings = {
        parts[key].item: warning for key, warning in evaluation.warnings.items()
    }
    copies.outcome.warn(warnings)
    await _write(copies, evaluation, parts.values())
    await copies.confirm()
    return copies.outcome


def spread_field(
    rule: CompiledRule,
    target_field: str,
) -> str:
    """Return the column of source rows from which a target field is filled.

    :raises RuleError: no field rule fills it, or the field rule reads a related record.
    """
    for part in rule.fields:
        selection = part.selection
        if part.target_field != target_field or selection is None:
            continue
        if selection.child is None:
            return selection.key
    raise RuleError(
        rule.name,
        None,
        f"no active field rule fills {target_field} from a field of {rule.plan.object}; add one, whose query field "
        "has a value for each record that is to be made",
    )


def spread(
    rows: Mapping[str, Row],
    column: str,
) -> Iterator[Part]:
    """Yield the parts of each row, in the order of its values; a row without a value yields none."""
    for item, row in rows.items():
        for value in dict.fromkeys(_values(row.get(column))):
            # A list of one value, as the Vault answers a picklist, so that the field rule reads it unchanged.
            part = {**row, column: [value]}
            yield Part(item, value, part)


def _values(value: object) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [str(value) for value in values if value not in (None, "")]


async def _write(
    copies: Copies,
    evaluation: Evaluation,
    parts: Iterable[Part],
) -> None:
    wanted = KeyedRows()
    owners: dict[str, str] = {}
    for part in parts:
        if part.item in copies.outcome.failures:
            continue
        values = evaluation.targets[part.key]
        ruled = values[copies.object]
        link = _link(copies, part, ruled)
        if link is None:
            continue
        own = {CRM_ORG: copies.org, CRM_ID: part.item, DELETED: False, LINK: link}
        # A rule may set the status itself; what it does not set is active.
        own |= {name: value for name, value in ACTIVE.items() if name not in ruled}
        modified = text(part.row, MODIFIED)
        wanted.add(link, modified, copies.origin(part.item, own, ruled))
        owners[link] = part.item
    results = await save(copies.unit, copies.object, wanted, LINK)
    copies.note(owners, results)
    await _inactivate_others(copies, owners.keys())


def _link(
    copies: Copies,
    part: Part,
    values: Values,
) -> str | None:
    """Return the Link of one country's record; None, after recording a failure, when the rule does not fill it."""
    for name in (LINK, FEATURE):
        if not values.get(name):
            failure = no_key(copies.rule.name, copies.object, name)
            copies.outcome.fail(part.item, failure)
            return None
    return f"{values[LINK]}_{part.value}_{values[FEATURE]}"


async def _inactivate_others(
    copies: Copies,
    wanted: Iterable[str],
) -> None:
    """Inactivate the records of countries that settings no longer contain, and flag those of deleted settings."""
    rows = copies.found.rows
    missing = copies.found.missing
    failed = copies.outcome.failures
    items = [item for item in (*rows, *missing) if item not in failed]
    kept = set(wanted)
    changed = KeyedRows()
    owners: dict[str, str] = {}
    # They are read after the others were written: of two units with the same settings, at work side by side, one
    # then sees what the other has written.
    made = await copies.made_from(items, LINK)
    copies.outcome.withdrawn.update(missing & {str(copy[CRM_ID]) for copy in made})
    for copy in made:
        if copy[LINK] in kept:
            continue
        record = str(copy["id"])
        item = str(copy[CRM_ID])
        gone = item in missing
        modified = "" if gone else text(rows[item], MODIFIED)
        values = GONE if gone else TAKEN_OUT
        changed.add(record, modified, copies.origin(item, values))
        owners[record] = item
    results = await save(
        copies.unit,
        copies.object,
        changed,
        "id",
        update=True,
    )
    copies.note(owners, results)
    # Settings that name no country any more have no rows; they are done all the same.
    copies.outcome.succeed(item for item in items if item in rows)
    settled = copies.outcome.done | copies.outcome.failures.keys()
    copies.outcome.skipped.update(missing - settled)


POINT = Point(
    "country_inbound__v",
    transfer,
    flags_deletions=True,
    traced_by=CRM_ID,
    share=PointShare(
        keys=True,
        fills=frozenset({CRM_ORG, CRM_ID, DELETED}),
        requires=(LINK, COUNTRY, FEATURE),
    ),
)
