"""Country: Connection Settings of Vault CRM become a Connection Country for each country in which a feature is used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from services.connector.points.crm_copies import (
    DELETED,
    MODIFIED,
    SOURCE_STATUS,
    Copies,
)
from services.connector.points.evaluation import (
    Evaluation,
    Row,
    settle_references,
)
from services.connector.points.metadata_matching import CRM_ID, CRM_ORG, LINK
from services.connector.points.point import Point
from services.connector.points.saving import KeyedRows, no_key, save
from services.connector.points.transfer import Outcome, Transfer
from services.connector.rules.compiled import CompiledRule, Values
from services.connector.rules.rule import RuleError
from shared.client.results import text

COUNTRY, FEATURE = "country__v", "feature__v"

ACTIVE: Mapping[str, object] = {"status__v": "active__v"}
TAKEN_OUT: Mapping[str, object] = {
    "status__v": "inactive__v",
    SOURCE_STATUS: "inactive__v",
}
GONE: Mapping[str, object] = {**TAKEN_OUT, DELETED: True}


async def transfer(unit: Transfer) -> Outcome:
    """Write a record for each country of the unit's settings, and inactivate those that are no longer among them.

    Of settings with a country that cannot be mapped nothing is written. Raises ClientError and OutdatedRead;
    ConfigurationFault or RuleError when the configuration does not provide for it.
    """
    copies = await Copies.read(unit)
    parts = {
        part.key: part
        for part in spread(copies.found.rows, spread_field(copies.rule, COUNTRY))
    }
    rows = {key: part.row for key, part in parts.items()}
    evaluation = unit.evaluate(copies.rule, replace(copies.found, rows=rows))
    await settle_references(unit.target, [evaluation])
    for key, failure in evaluation.failures.items():
        copies.outcome.fail(parts[key].item, failure)
    copies.outcome.warn(
        {parts[key].item: warning for key, warning in evaluation.warnings.items()}
    )
    await _write(copies, evaluation, parts.values())
    await copies.confirm()
    return copies.outcome


async def _write(copies: Copies, evaluation: Evaluation, parts: Iterable[Part]) -> None:
    wanted, owners = KeyedRows(), dict[str, str]()
    for part in parts:
        if part.item in copies.outcome.failures:
            continue
        values = evaluation.targets[part.key][copies.object]
        link = _link(copies, part, values)
        if link:
            kept = {CRM_ORG: copies.org, CRM_ID: part.item, DELETED: False}
            row = {**ACTIVE, **values, **kept, LINK: link}
            wanted.add(
                link, row, text(part.row, MODIFIED), copies.origin(part.item, values)
            )
            owners[link] = part.item
    copies.note(owners, await save(copies.unit, copies.object, wanted, LINK))
    await _take_out(copies, owners.keys())


def _link(copies: Copies, part: Part, values: Values) -> str | None:
    """What the record of one country is known by; noted as a failure where the rule does not give it."""
    for name in (LINK, FEATURE):
        if not values.get(name):
            copies.outcome.fail(
                part.item, no_key(copies.rule.name, copies.object, name)
            )
            return None
    return f"{values[LINK]}_{part.value}_{values[FEATURE]}"


async def _take_out(copies: Copies, wanted: Iterable[str]) -> None:
    """Inactivate the records that settings no longer name, and flag those of settings that are gone.

    They are read after the others were written: of two units with the same settings, at work side by side, one then
    sees what the other has written.
    """
    rows, missing = copies.found.rows, copies.found.missing
    items = [item for item in (*rows, *missing) if item not in copies.outcome.failures]
    kept = set(wanted)
    changed, owners = KeyedRows(), dict[str, str]()
    for copy in await copies.made_from(items, LINK):
        item = str(copy[CRM_ID])
        if copy[LINK] not in kept:
            values, modified = (
                (GONE, "")
                if item in missing
                else (TAKEN_OUT, text(rows[item], MODIFIED))
            )
            owners[str(copy["id"])] = item
            changed.add(str(copy["id"]), values, modified, copies.origin(item))
    copies.note(
        owners, await save(copies.unit, copies.object, changed, "id", update=True)
    )
    copies.outcome.succeed(item for item in items if item in rows)
    copies.outcome.skipped.update(
        missing - copies.outcome.done - copies.outcome.failures.keys()
    )


class Part(NamedTuple):
    """What a source record says for one value of its field: its row, in which the field has that value only."""

    item: str
    value: str
    row: Row

    @property
    def key(self) -> str:
        """What the part is known by in its unit."""
        return f"{self.item} {self.value}"


def spread_field(rule: CompiledRule, target_field: str) -> str:
    """The column, in rows of the source record, that a target field is filled from.

    Raises RuleError when no field rule fills it, or one that reads a related record.
    """
    for part in rule.fields:
        if (
            part.target_field == target_field
            and part.selection is not None
            and part.selection.child is None
        ):
            return part.selection.key
    raise RuleError(
        rule.name,
        None,
        f"no active field rule fills {target_field} from a field of {rule.plan.object}; add one, whose query field "
        "has a value for each record that is to be made",
    )


def spread(rows: Mapping[str, Row], column: str) -> Iterator[Part]:
    """The parts of each row, in the order of its values; a row without a value has none."""
    for item, row in rows.items():
        for value in dict.fromkeys(_values(row.get(column))):
            yield Part(item, value, {**row, column: [value]})


def _values(given: object) -> Iterable[str]:
    values = given if isinstance(given, list) else [given]
    return (str(value) for value in values if value not in (None, ""))


POINT = Point("country_inbound__v", transfer, flags_deletions=True)
