"""Saves rows by key, one row for each key even if several source records have it, with source state and lineage."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache, partial
from types import MappingProxyType
from typing import NamedTuple

from services.connector.points.document_rows import save_documents
from services.connector.points.searched_records import write_searched
from services.connector.points.transfer import Transfer, UnitLineage
from services.connector.rules.compiled import CompiledField, CompiledRule
from services.connector.rules.item_failures import MAX_TEXT, ItemErrorType, ItemFailure
from services.connector.rules.object_metadata import DOCUMENTS
from services.connector.vaults.record_access import RecordAccess
from shared.client.results import LINEAGE, SOURCE_MODIFIED, UNCHANGED, RowResult
from shared.protocol.error_types import ErrorType
from shared.protocol.redaction import MAX_REASON, without_values
from shared.runtime.retry_policies import LOST_RACE
from shared.spark.envelope import format_moment

Values = Mapping[str, object]
Rows = dict[str, Values]
NOTHING: Values = MappingProxyType({})
Write = Callable[[Sequence[Values]], Awaitable[list[RowResult]]]

_NAMED_FIELD = re.compile(r"\[(?P<field>\w++)")


class Origin(NamedTuple):
    """The source of one row, and what is in it.

    ``item`` is the id in the message that causes the write; ``object`` and ``record`` are the source record, ``ruled``
    the fields that the rule has filled, ``own`` those that the integration point sets in addition or in their place.
    """

    item: str
    object: str | None = None
    record: str | None = None
    rule: str | None = None
    ruled: Values = NOTHING
    own: Values = NOTHING


@lru_cache(maxsize=256)
def _fields(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the fields that a row's keys name, sorted; cached, since the rows of a call mostly have the same keys."""
    # A reference by key, or a type by name, is a path in the row; lineage is kept for the field.
    return tuple(sorted({name.partition(".")[0] for name in names}))


class CallLineage:
    """The lineage of one call, collected row by row."""

    def __init__(self, unit: UnitLineage) -> None:
        self._unit = unit
        self._numbers: dict[tuple[str | None, str | None, tuple[str, ...]], int] = {}

    def of(self, origin: Origin, row: Values, key: str) -> list[object]:
        """Return the lineage of a row: number of its origin in the call, message id and source record.

        The field ``key`` counts as set by the integration point, like those of ``origin.own``.
        """
        names: tuple[str, ...] = ()
        if origin.rule is not None:
            ruled = origin.ruled
            own = [name for name in (*origin.own, key) if ruled.get(name) != row[name]]
            names = _fields(tuple(own))
        kind = (origin.object, origin.rule, names)
        # Rows of one kind share an origin, so that a call of 500 rows names it once.
        number = self._numbers.setdefault(kind, len(self._numbers))
        return [number, self._unit.messages[origin.item], origin.record]

    def header(self) -> str:
        """Return the common lineage of the call's rows as the JSON of its header."""
        unit = self._unit
        origins = [
            {"object": object_name, "rule": rule, "own": own}
            for object_name, rule, own in self._numbers
        ]
        common = {
            "source_vault_id": unit.vault_id,
            "integration": unit.route.integration.api_name,
            "integration_point": unit.route.point.api_name,
            "run": unit.run,
            "time": format_moment(datetime.now(UTC)),
            "origins": origins,
        }
        return json.dumps(common)


@dataclass(slots=True)
class KeyedRows:
    """Rows by key value; of several rows with one key, the last modified one remains."""

    _origins: dict[str, Origin] = field(default_factory=dict)
    _modified: dict[str, str] = field(default_factory=dict)

    def __contains__(self, key: str) -> bool:
        return key in self._origins

    def __len__(self) -> int:
        return len(self._origins)

    def add(
        self,
        key: str,
        modified: str,
        origin: Origin,
    ) -> None:
        """Add a row, unless a newer one has its key; ``modified`` is the source's date as the API writes it."""
        # With equal dates the later row wins, as it would if both were written one after the other.
        if key not in self._origins or modified >= self._modified[key]:
            self._origins[key] = origin
            self._modified[key] = modified

    def items(self, keys: Iterable[str]) -> Iterator[str]:
        """Yield the source records that cause the rows with these key values."""
        return (self._origins[key].item for key in keys)

    def rows(
        self,
        key: str,
        lineage: CallLineage | None = None,
        moment: Callable[[str, str], str] | None = None,
    ) -> Rows:
        """Return the rows to write, each with its key value in the field ``key``, and its lineage.

        ``moment`` returns the source state of a row, by its key value and the source's date.
        """
        rows: Rows = {}
        for value, origin in self._origins.items():
            row = {**origin.ruled, **origin.own, key: value}
            if lineage is not None:
                row[LINEAGE] = lineage.of(origin, row, key)
            modified = self._modified[value]
            # A row that stands for a deletion has no date to send.
            if moment is not None and modified:
                row[SOURCE_MODIFIED] = moment(value, modified)
            rows[value] = row
        return rows


async def save(
    unit: Transfer,
    object_name: str,
    keyed: KeyedRows,
    key: str,
    *,
    update: bool = False,
    searched: bool = False,
) -> dict[str, RowResult]:
    """Upsert records or documents by their key field, or with ``update`` only update; return results by key value.

    With ``searched`` the field need not be unique: records are searched for by it.

    :raises OutdatedRead: rows may be older than the stored records.
    :raises ClientError: one of the calls fails.
    """
    if not keyed:
        return {}
    if object_name == DOCUMENTS:
        documents = await save_documents(unit, keyed.rows(key), key)
        unit.changed.update(keyed.items(documents))
        return documents
    # Lineage goes with the call that writes: what a Vault did not take has none.
    lineage = CallLineage(unit.lineage) if unit.lineage else None
    target = unit.configuration.targets.get(object_name)
    # Only objects that say so keep the state of their source.
    is_dated = target is not None and SOURCE_MODIFIED in target.fields
    moment = partial(unit.states.moment, object_name) if is_dated else None
    rows = keyed.rows(key, lineage, moment)
    header = lineage.header() if lineage else None

    async def write(part: Sequence[Values]) -> list[RowResult]:
        if searched:
            return await write_searched(unit.target, object_name, part, key, header)
        if not update:
            return await unit.target.upsert(
                object_name, part, id_param=key, lineage=header
            )
        id_param = None if key == "id" else key
        return await unit.target.update(
            object_name, part, id_param=id_param, lineage=header
        )

    results = await write_with_retries(write, list(rows.values()))
    # Results come in the order of rows, and dicts keep theirs.
    by_key = dict(zip(rows, results, strict=True))
    stored = (value for value, result in by_key.items() if result.event != UNCHANGED)
    unit.changed.update(keyed.items(stored))
    unit.states.check(object_name, by_key)
    return by_key


async def write_with_retries(
    write: Write,
    rows: Sequence[Values],
) -> list[RowResult]:
    """Write rows; repeat a few times for rows that another transaction was changing at that moment."""
    results = await write(rows)
    for _ in range(LOST_RACE.attempts - 1):
        again = [
            place
            for place, result in enumerate(results)
            if result.errors and _lost_race(result)
        ]
        if not again:
            break
        repeated = await write([rows[place] for place in again])
        for place, result in zip(again, repeated, strict=True):
            results[place] = result
    return results


def _lost_race(result: RowResult) -> bool:
    return any(error.type == ErrorType.RACE_CONDITION for error in result.errors)


def not_saved(
    object_name: str,
    rule: CompiledRule | None,
    result: RowResult,
) -> ItemFailure:
    """Return the failure of a source record whose row the target Vault refused.

    The failure names the field rule of the first field that the Vault's error text names.
    """
    text = f"The target Vault did not save {object_name}: {_reasons(result)}"
    if rule is None:
        return ItemFailure(ItemErrorType.SAVE, text)
    named_field = _field_in_errors(object_name, rule, result)
    if named_field is None:
        return ItemFailure(ItemErrorType.SAVE, text, rule.name)
    sourced = f"{text}. The value is of {_source_of(rule, named_field)}"
    return ItemFailure(
        ItemErrorType.SAVE,
        sourced[:MAX_TEXT],
        rule.name,
        named_field.rule,
        named_field.target_field,
    )


def _field_in_errors(
    object_name: str,
    rule: CompiledRule,
    result: RowResult,
) -> CompiledField | None:
    """Return the field rule of the first field that the errors name in brackets; None when they name none of them."""
    fields = {
        part.target_field: part
        for part in rule.fields
        if part.target_object == object_name
    }
    for error in result.errors:
        for named in _NAMED_FIELD.finditer(error.message[:MAX_REASON]):
            part = fields.get(named["field"])
            if part is not None:
                return part
    return None


def _source_of(rule: CompiledRule, part: CompiledField) -> str:
    """Return the source of a field's value (query field, lookup or default), named as in the configuration."""
    words = f"integration rule {rule.name}, field rule {part.rule}"
    if part.selection is not None:
        words += f", source field {part.selection.key}"
    if part.lookup is not None:
        words += f", reference lookup {part.lookup.name}"
    return words


def no_key(
    rule: str,
    object_name: str,
    key: str,
) -> ItemFailure:
    """Return the failure of a source record that fills no key of its target record."""
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
    """Set one field of source records by id; return the failures of records that the source Vault refused to update.

    ``unit`` is the lineage of the rows, None when the source Vault stores none.

    :raises ClientError: the call fails.
    """
    rows: list[Values] = [{"id": item, field: value} for item, value in values.items()]
    return await write_rows(source, object_name, field, rows, unit)


async def write_rows(
    source: RecordAccess,
    object_name: str,
    field: str,
    rows: list[Values],
    unit: UnitLineage | None,
    *,
    unchanged: bool = False,
) -> dict[str, ItemFailure]:
    """Update source records by rows as ``write_back`` does; ``field`` is the one that failures name.

    ``unchanged`` is that of ``RecordAccess.update``.

    :raises ClientError: the call fails.
    """
    if not rows:
        return {}
    header: str | None = None
    if unit is not None:
        lineage = CallLineage(unit)
        # The point itself writes the row, of the record that it is; so no rule and no other record is named.
        rows = [
            {**row, LINEAGE: lineage.of(Origin(str(row["id"])), row, "id")}
            for row in rows
        ]
        header = lineage.header()

    async def write(part: Sequence[Values]) -> list[RowResult]:
        return await source.update(
            object_name, part, lineage=header, unchanged=unchanged
        )

    results = await write_with_retries(write, rows)
    by_item = zip(rows, results, strict=True)
    return {
        str(row["id"]): _not_written_back(object_name, field, result)
        for row, result in by_item
        if not result.ok
    }


def _not_written_back(
    object_name: str,
    field: str,
    result: RowResult,
) -> ItemFailure:
    text = f"The source Vault refused {object_name}.{field}: {_reasons(result)}"
    return ItemFailure(ItemErrorType.SAVE, text, target_field=field)


def _reasons(result: RowResult) -> str:
    reasons = (f"{e.type}: {without_values(e.message)}" for e in result.errors)
    return "; ".join(reasons)
