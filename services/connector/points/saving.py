"""Rows saved by key, one row a key whichever source records it comes from."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from services.connector.processing.outcome import ItemFailure
from services.connector.rules.errors import ItemErrorType
from shared.client.results import SOURCE_MODIFIED, RowResult

if TYPE_CHECKING:
    from services.connector.points.states import SourceStates
    from services.connector.points.transfer import Transfer
    from services.connector.records import RecordAccess

Values = Mapping[str, object]

RACE_ATTEMPTS = 3
_SHOWN_VALUE = re.compile(r"\[(\w+)\s*=\s*[^\]]*\]")


@dataclass(slots=True)
class KeyedRows:
    """Rows by key value; of several rows with one key the last modified one is kept."""

    rows: dict[str, Values] = field(default_factory=dict)
    _modified: dict[str, str] = field(default_factory=dict)

    def add(self, key: str, values: Values, modified: str) -> None:
        """Offer a row; ``modified`` is its source record's modified date as the API writes it."""
        if key not in self.rows or modified >= self._modified[key]:
            self.rows[key] = values
            self._modified[key] = modified

    def stated(self, object_name: str, states: SourceStates) -> dict[str, Values]:
        """The rows, each with the state of its source."""
        return {
            key: {**values, SOURCE_MODIFIED: states.moment(object_name, key, modified)} if modified else values
            for (key, values), modified in zip(self.rows.items(), self._modified.values(), strict=True)
        }


async def save(
    unit: Transfer, object_name: str, keyed: KeyedRows, key: str, *, update: bool = False
) -> dict[str, RowResult]:
    """Upsert rows by their key field (update only, if so asked); the result of each by key value.

    Raises ClientError, and OutdatedRead when rows may be older than what is stored.
    """
    if not keyed.rows:
        return {}

    async def write(part: Sequence[Values]) -> list[RowResult]:
        if update:
            return await unit.target.update(object_name, part, id_param=None if key == "id" else key)
        return await unit.target.upsert(object_name, part, id_param=key)

    target = unit.configuration.targets.get(object_name)
    rows = keyed.rows
    if target is not None and SOURCE_MODIFIED in target.fields:
        rows = keyed.stated(object_name, unit.states)
    results = await settled(write, [{**values, key: value} for value, values in rows.items()])
    by_key = dict(zip(rows, results, strict=True))
    unit.states.check(object_name, by_key)
    return by_key


async def settled(
    write: Callable[[Sequence[Values]], Awaitable[list[RowResult]]], rows: Sequence[Values]
) -> list[RowResult]:
    """Write rows, and those again, a few times, that somebody else was changing at that moment."""
    results = await write(rows)
    for _ in range(RACE_ATTEMPTS):
        again = [place for place, result in enumerate(results) if _lost_race(result)]
        if not again:
            break
        for place, result in zip(again, await write([rows[place] for place in again]), strict=True):
            results[place] = result
    return results


def _lost_race(result: RowResult) -> bool:
    return any(error.type == "RACE_CONDITION" for error in result.errors)


def not_saved(object_name: str, rule: str | None, result: RowResult) -> ItemFailure:
    """The failure of a source record whose row the target Vault did not take."""
    reasons = "; ".join(f"{error.type}: {without_values(error.message)}" for error in result.errors)
    return ItemFailure(ItemErrorType.SAVE, f"The target Vault did not save {object_name}: {reasons}", rule)


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
    source: RecordAccess, object_name: str, field: str, values: Mapping[str, object]
) -> dict[str, ItemFailure]:
    """Set one field of source records by id; the failures of those that the source Vault did not take.

    Raises ClientError.
    """
    rows = [{"id": item, field: value} for item, value in values.items()]
    results = await settled(lambda part: source.update(object_name, part), rows) if rows else []
    return {
        item: ItemFailure(
            ItemErrorType.SAVE,
            f"The source Vault did not take {object_name}.{field}: "
            + "; ".join(f"{error.type}: {without_values(error.message)}" for error in result.errors),
            target_field=field,
        )
        for item, result in zip(values, results, strict=True)
        if not result.ok
    }


def without_values(message: str) -> str:
    """An API error text with ``[field=value]`` cut to ``[field]``: the value may be personal."""
    return _SHOWN_VALUE.sub(r"[\1]", message)[:1000]
