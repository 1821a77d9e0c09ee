"""Rows saved by key, one row a key whichever source records it comes from."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from services.connector.processing.outcome import ItemFailure
from services.connector.rules.errors import ItemErrorType
from shared.client.client import VaultClient
from shared.client.results import RowResult

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


async def save(
    client: VaultClient, object_name: str, rows: Mapping[str, Values], key: str, *, update: bool = False
) -> dict[str, RowResult]:
    """Upsert rows by their key field (update only, if so asked); the result of each by key value.

    Raises ClientError.
    """
    if not rows:
        return {}

    async def write(part: Sequence[Values]) -> list[RowResult]:
        if update:
            return await client.update(object_name, part, id_param=None if key == "id" else key)
        return await client.upsert(object_name, part, id_param=key)

    results = await settled(write, [{**values, key: value} for value, values in rows.items()])
    return dict(zip(rows, results, strict=True))


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


def without_values(message: str) -> str:
    """An API error text with ``[field=value]`` cut to ``[field]``: the value may be personal."""
    return _SHOWN_VALUE.sub(r"[\1]", message)[:1000]
