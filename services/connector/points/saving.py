"""Rows saved by key, one row a key whichever source records it comes from."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from services.connector.points.document_rows import save_documents
from services.connector.points.transfer import SourceStates, Transfer, UnitLineage
from services.connector.rules.item_failures import ItemErrorType, ItemFailure
from services.connector.rules.object_metadata import DOCUMENTS
from services.connector.vaults.record_access import RecordAccess
from shared.client.results import LINEAGE, SOURCE_MODIFIED, RowResult
from shared.spark.envelope import format_moment

Values = Mapping[str, object]

RACE_ATTEMPTS = 3
_SHOWN_VALUE = re.compile(r"\[(\w+)\s*=\s*[^\]]*\]")


@dataclass(slots=True)
class KeyedRows:
    """Rows by key value; of several rows with one key the last modified one is kept."""

    rows: dict[str, Values] = field(default_factory=dict)
    _modified: dict[str, str] = field(default_factory=dict)
    _origins: dict[str, Origin] = field(default_factory=dict)

    def add(self, key: str, values: Values, modified: str, origin: Origin) -> None:
        """Offer a row; ``modified`` is its source record's modified date as the API writes it."""
        if key not in self.rows or modified >= self._modified[key]:
            self.rows[key] = values
            self._modified[key] = modified
            self._origins[key] = origin

    def keyed(self, key: str) -> dict[str, Values]:
        """The rows as they are written, each with its key in the field ``key``."""
        return {value: {**values, key: value} for value, values in self.rows.items()}

    def told(
        self, rows: Mapping[str, Values], lineage: CallLineage
    ) -> dict[str, Values]:
        """Rows by key, each with where it comes from."""
        return {key: lineage.told(row, self._origins[key]) for key, row in rows.items()}

    def stated(
        self, rows: Mapping[str, Values], object_name: str, states: SourceStates
    ) -> dict[str, Values]:
        """Rows by key, each with the state of its source."""
        return {
            key: {**row, SOURCE_MODIFIED: states.moment(object_name, key, modified)}
            if modified
            else row
            for (key, row), modified in zip(
                rows.items(), self._modified.values(), strict=True
            )
        }


async def save(
    unit: Transfer,
    object_name: str,
    keyed: KeyedRows,
    key: str,
    *,
    update: bool = False,
) -> dict[str, RowResult]:
    """Upsert rows by their key field (update only, if so asked), documents too; the result of each by key value.

    Raises ClientError, and OutdatedRead when rows may be older than what is stored.
    """
    if not keyed.rows:
        return {}
    rows = keyed.keyed(key)
    if object_name == DOCUMENTS:
        return await save_documents(unit, rows, key)
    lineage = CallLineage(unit.lineage) if unit.lineage else None
    if lineage:
        rows = keyed.told(rows, lineage)
    target = unit.configuration.targets.get(object_name)
    if target is not None and SOURCE_MODIFIED in target.fields:
        rows = keyed.stated(rows, object_name, unit.states)
    header = lineage.header() if lineage else None

    async def write(part: Sequence[Values]) -> list[RowResult]:
        if update:
            id_param = None if key == "id" else key
            return await unit.target.update(
                object_name, part, id_param=id_param, lineage=header
            )
        return await unit.target.upsert(object_name, part, id_param=key, lineage=header)

    results = await settled(write, list(rows.values()))
    by_key = dict(zip(rows, results, strict=True))
    unit.states.check(object_name, by_key)
    return by_key


async def settled(
    write: Callable[[Sequence[Values]], Awaitable[list[RowResult]]],
    rows: Sequence[Values],
) -> list[RowResult]:
    """Write rows, and those again, a few times, that somebody else was changing at that moment."""
    results = await write(rows)
    for _ in range(RACE_ATTEMPTS):
        again = [place for place, result in enumerate(results) if _lost_race(result)]
        if not again:
            break
        for place, result in zip(
            again, await write([rows[place] for place in again]), strict=True
        ):
            results[place] = result
    return results


def _lost_race(result: RowResult) -> bool:
    return any(error.type == "RACE_CONDITION" for error in result.errors)


def not_saved(object_name: str, rule: str | None, result: RowResult) -> ItemFailure:
    """The failure of a source record whose row the target Vault did not take."""
    reasons = "; ".join(
        f"{error.type}: {without_values(error.message)}" for error in result.errors
    )
    return ItemFailure(
        ItemErrorType.SAVE,
        f"The target Vault did not save {object_name}: {reasons}",
        rule,
    )


def no_key(rule: str, object_name: str, key: str) -> ItemFailure:
    """The failure of a source record that gives a target record nothing to be known by."""
    return ItemFailure(
        ItemErrorType.FIELD_VALUE,
        f"Integration rule {rule}: the source record has no value for {object_name}.{key}, by which the record is "
        "found; fill the source field or leave such records out by a query object rule",
        rule,
        target_field=key,
    )


async def write_back(
    source: RecordAccess,
    object_name: str,
    field: str,
    values: Mapping[str, object],
    unit: UnitLineage | None,
) -> dict[str, ItemFailure]:
    """Set one field of source records by id; the failures of those that the source Vault did not take.

    ``unit`` is the lineage that it keeps, if it does. Raises ClientError.
    """
    rows: list[Values] = [{"id": item, field: value} for item, value in values.items()]
    if not rows:
        return {}
    header: str | None = None
    if unit is not None:
        lineage = CallLineage(unit)
        rows = [
            lineage.told(row, Origin(item))
            for item, row in zip(values, rows, strict=True)
        ]
        header = lineage.header()
    results = await settled(
        lambda part: source.update(object_name, part, lineage=header), rows
    )
    return {
        item: ItemFailure(
            ItemErrorType.SAVE,
            f"The source Vault did not take {object_name}.{field}: "
            + "; ".join(
                f"{error.type}: {without_values(error.message)}"
                for error in result.errors
            ),
            target_field=field,
        )
        for item, result in zip(values, results, strict=True)
        if not result.ok
    }


def without_values(message: str) -> str:
    """An API error text with ``[field=value]`` cut to ``[field]``: the value may be personal."""
    return _SHOWN_VALUE.sub(r"[\1]", message)[:1000]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where one row comes from.

    ``item`` is the id in the message because of which it is written; ``object`` and ``record`` are the source record,
    ``ruled`` the fields as the rule gave them. What else the row has, the integration point sets itself.
    """

    item: str
    object: str | None = None
    record: str | None = None
    rule: str | None = None
    ruled: Values = field(default_factory=dict)

    def own(self, row: Values) -> tuple[str, ...]:
        """The fields of a row that are the integration point's; of a reference by key or type by name, the field."""
        ruled = self.ruled
        return tuple(
            sorted(
                name.partition(".")[0]
                for name, value in row.items()
                if ruled.get(name) != value
            )
        )


class CallLineage:
    """The lineage of one call, gathered row by row."""

    def __init__(self, unit: UnitLineage) -> None:
        self._unit = unit
        self._numbers: dict[tuple[str | None, str | None, tuple[str, ...]], int] = {}

    def told(self, row: Values, origin: Origin) -> dict[str, object]:
        """The row, and where it comes from."""
        kind = (
            origin.object,
            origin.rule,
            () if origin.rule is None else origin.own(row),
        )
        number = self._numbers.setdefault(kind, len(self._numbers))
        return {
            **row,
            LINEAGE: [number, self._unit.messages[origin.item], origin.record],
        }

    def header(self) -> str:
        """What the call tells besides its rows."""
        unit, route = self._unit, self._unit.route
        return json.dumps(
            {
                "source_vault_id": unit.vault_id,
                "integration": route.integration.api_name,
                "integration_point": route.point.api_name,
                "run": unit.run,
                "time": format_moment(datetime.now(UTC)),
                "origins": [
                    {"object": o, "rule": rule, "own": own}
                    for o, rule, own in self._numbers
                ],
            }
        )
