"""Creates indexes of the fields by which many records are ordered, or found by date, after their first use.

An index of the modified date gets an entry with every change of a record, so no change can be HOT, which means without
new index entries. Therefore only objects that are read by date have this index.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import structlog

from shared.vault.components.platform import MODIFIED_DATE
from shared.vault.components.schema import (
    SCHEMA,
    create_order_index,
    needs_index,
    needs_unique_index,
    order_index,
)
from shared.vault.model.component_model import Field, FieldType
from shared.vault.model.field_types import NEVER_EMPTY, traits

if TYPE_CHECKING:
    from shared.vault import vql
    from shared.vault.components.registry import Registry
    from shared.vault.storage.database import Connection, Database

log = structlog.get_logger(__name__)

# Records from which on an index pays: fewer are sorted in no time, and each write keeps an index up to date.
MANY_RECORDS = 10_000
MANY_DATED = (
    1_000  # lower, since a run without the index reads all records again for each page
)
MOST_INDEXES = 8  # of one object, those that were used last
# Characters: an entry of an index has at most a third of a page, and a character up to four bytes.
MOST_CHARACTERS = 600
NOTE = """
INSERT INTO platform.ordered_field AS o (object, field, descending) VALUES ($1, $2, $3)
ON CONFLICT (object, field, descending) DO UPDATE SET used_date = now() WHERE o.used_date < now() - interval '1 day'
RETURNING true
"""
FORGET = (
    "DELETE FROM platform.ordered_field WHERE used_date < now() - interval '90 days'"
)
USED = "SELECT object, field, descending FROM platform.ordered_field ORDER BY used_date DESC"
# Names that end so are given to these indexes alone; a building that was broken off leaves one that is not valid.
EXISTING = """
SELECT i.relname AS name, x.indisvalid AS whole FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
WHERE i.relnamespace = to_regnamespace($1) AND i.relname ~ '_(asc|desc)$'
"""
COUNT = "SELECT coalesce(sum(change), 0)::bigint FROM platform.record_count WHERE object = $1"
COUNT_SECONDS = 60.0  # between two counts of one object's records
BUILD_SECONDS = 6 * 3600.0
# In compiled statements: tables with their aliases, and the aliases whose modified date is compared.
_ALIASED = re.compile(r'\brecords\."(\w++)" (\w++)')
_DATED = re.compile(rf'\b(\w++)\."{MODIFIED_DATE}"')


@dataclass(frozen=True, slots=True)
class OrderedField:
    """A field of an object, and the direction in which records are ordered by it."""

    object: str
    field: str
    descending: bool


class OrderedFields:
    """Remembers the fields by which records are ordered or dated; ``changed`` is called for a new one."""

    def __init__(self, database: Database, changed: Callable[[], None]) -> None:
        self._database = database
        self._changed = changed
        self._recorded: dict[OrderedField, date] = {}
        self._numbers: dict[str, tuple[int, float]] = {}

    async def note(self, compiled: vql.CompiledQuery, total: int) -> None:
        """Remember by what a query orders its ``total`` records, and whose modified dates it compares."""
        first = compiled.order[0]
        dated = dated_objects(compiled.matching)
        if first.field == MODIFIED_DATE:
            dated.add(compiled.object_name)
        elif first.field and total >= MANY_RECORDS:
            field = compiled.source.fields.get(first.field)
            if field is not None and _gets_index(field, descending=first.descending):
                ordered = OrderedField(
                    compiled.object_name, field.name, first.descending
                )
                await self._remember(ordered)
        await self.note_dated(dated)

    async def note_searched(self, compiled: vql.CompiledQuery) -> None:
        """Remember the picklists outside of the search index by whose values a search of many records looks."""
        for field in compiled.source.fields.values():
            if not field.search and f'"{field.name}" = ANY(' in compiled.matching:
                ordered = OrderedField(
                    compiled.object_name, field.name, descending=False
                )
                await self._note_use(ordered, MANY_RECORDS)

    async def note_dated(self, names: Iterable[str]) -> None:
        """Remember the modified date as used, for each of the objects that has at least ``MANY_DATED`` records."""
        for name in names:
            ordered = OrderedField(name, MODIFIED_DATE, descending=False)
            await self._note_use(ordered, MANY_DATED)

    async def _note_use(self, ordered: OrderedField, bound: int) -> None:
        """Remember the use of a field if its object has at least ``bound`` records."""
        if self._is_recorded(ordered):
            return
        if await self._number_of(ordered.object) >= bound:
            await self._remember(ordered)

    def _is_recorded(self, ordered: OrderedField) -> bool:
        return self._recorded.get(ordered) == datetime.now(UTC).date()

    async def _number_of(self, name: str) -> int:
        """Return the number of an object's records, which is counted once a minute at most."""
        number, counted = self._numbers.get(name, (0, -COUNT_SECONDS))
        now = time.monotonic()
        if now - counted >= COUNT_SECONDS:
            async with self._database.connection() as connection:
                number = await connection.fetchval(COUNT, name)
            self._numbers[name] = number, now
        return number

    async def _remember(self, ordered: OrderedField) -> None:
        """Store the use of a field, at most once a day."""
        if self._is_recorded(ordered):
            return
        self._recorded[ordered] = datetime.now(UTC).date()
        async with self._database.connection() as connection:
            names = ordered.object, ordered.field, ordered.descending
            is_new = await connection.fetchval(NOTE, *names)
        if is_new:
            self._changed()


def dated_objects(matching: str) -> set[str]:
    """Return the objects whose modified dates a compiled condition compares."""
    if MODIFIED_DATE not in matching:
        return set()
    aliases = set(_DATED.findall(matching))
    return {name for name, alias in _ALIASED.findall(matching) if alias in aliases}


def sorts(field: Field) -> bool:
    """Return whether an index on a field can have the order in which queries sort its values."""
    if not field.active or field.multi_value or not traits(field.type).sorted:
        return False
    is_long = (field.max_length or 0) > MOST_CHARACTERS
    return not (field.type is FieldType.STRING and is_long)


def _gets_index(field: Field, *, descending: bool) -> bool:
    """Return whether an order by a field needs an index of its own, since no other index serves it."""
    if not sorts(field):
        return False
    # The ascending index serves both directions: it can be read backwards, and nearly all values differ.
    if field.name == MODIFIED_DATE:
        return not descending
    # Every index has the order in which it ascends, and that in which it descends where no value is missing.
    has_other = (
        field.type is FieldType.ID or needs_index(field) or needs_unique_index(field)
    )
    return not (has_other and (not descending or field.name in NEVER_EMPTY))


async def build_order_indexes(connection: Connection, registry: Registry) -> None:
    """Build missing indexes without blocking reads and writes, and drop useless ones."""
    await connection.execute(FORGET)
    wanted = await _required(connection, registry)
    rows = await connection.fetch(EXISTING, SCHEMA)
    existing = {row["name"]: row["whole"] for row in rows}
    for name, whole in existing.items():
        if name not in wanted or not whole:
            log.info("order_index.dropped", index=name)
            drop = f'DROP INDEX CONCURRENTLY IF EXISTS {SCHEMA}."{name}"'
            await connection.execute(drop, timeout=BUILD_SECONDS)
    for name, ordered in wanted.items():
        if not existing.get(name):
            log.info("order_index.building", index=name)
            statement = create_order_index(
                ordered.object, ordered.field, descending=ordered.descending
            )
            await connection.execute(statement, timeout=BUILD_SECONDS)
            log.info("order_index.built", index=name)


async def _required(
    connection: Connection, registry: Registry
) -> Mapping[str, OrderedField]:
    """Return the required indexes by name: for existing fields, those used last."""
    wanted: dict[str, OrderedField] = {}
    of_object: dict[str, int] = {}
    for row in await connection.fetch(USED):
        ordered = OrderedField(row["object"], row["field"], row["descending"])
        owner = registry.objects.get(ordered.object)
        field = None if owner is None else owner.fields.get(ordered.field)
        if field is None or not _gets_index(field, descending=ordered.descending):
            continue
        number = of_object[ordered.object] = of_object.get(ordered.object, 0) + 1
        if number <= MOST_INDEXES:
            name = order_index(
                ordered.object, ordered.field, descending=ordered.descending
            )
            wanted[name] = ordered
    return wanted
