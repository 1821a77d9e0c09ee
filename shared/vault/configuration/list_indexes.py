"""Keeps indexes for the conditions of lists of many records, in the order of these lists.

A condition on picklist values and states becomes the condition of a partial index, which has only the records that meet
it, so that a write costs more only where a record enters or leaves the index. The columns of the index are first the
fields whose compared value differs from call to call, such as a person or a reference, then the order.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import structlog

from shared.vault import vql
from shared.vault.components.schema import (
    SCHEMA,
    constant,
    needs_index,
    quote,
    schema_name,
    table,
)
from shared.vault.configuration import order_indexes
from shared.vault.configuration.order_indexes import BUILD_SECONDS, COUNT, sorts
from shared.vault.model.component_model import Field, FieldType, VaultObject
from shared.vault.vql import Operator

if TYPE_CHECKING:
    from shared.vault.components.registry import Registry
    from shared.vault.storage.database import Connection, Database

log = structlog.get_logger(__name__)

MOST_INDEXES = 8  # of one object, those that were used last
# An order has so many records until a page is full of those that are wanted: then no index of these is needed.
PASSED = 10_000
FULL = 100
DIGEST_LENGTH = 12
STATE = "state__v"
FIRST_ALIAS = "t0"  # of the object selected from, in every compiled statement
NOTE = """
INSERT INTO platform.listed_condition AS c (statement, keys) VALUES ($1, $2)
ON CONFLICT (statement, keys) DO UPDATE SET used_date = now() WHERE c.used_date < now() - interval '1 day'
RETURNING true
"""
FORGET = (
    "DELETE FROM platform.listed_condition WHERE used_date < now() - interval '90 days'"
)
USED = "SELECT statement, keys FROM platform.listed_condition ORDER BY used_date DESC"
# Names that end so are given to these indexes alone; a building that was broken off leaves one that is not valid.
EXISTING = """
SELECT i.relname AS name, x.indisvalid AS whole FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
WHERE i.relnamespace = to_regnamespace($1) AND i.relname ~ '_list$'
"""


@dataclass(frozen=True, slots=True)
class ListedCondition:
    """The part of a list's condition that an index can have.

    ``statement`` is VQL that has the comparisons with declared values and the order; ``keys`` are the fields that are
    compared with other values.
    """

    statement: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ListIndex:
    """The index of a listed condition as SQL: its condition and its columns, which end with those of ``order``."""

    object: str
    name: str
    columns: str
    order: str
    condition: str
    keyed: bool

    @property
    def create(self) -> str:
        """Return the statement that builds the index without blocking reads and writes."""
        where = f" WHERE {self.condition}" if self.condition else ""
        place = f"{quote(self.name)} ON {table(self.object)}"
        return f"CREATE INDEX CONCURRENTLY {place} ({self.columns}){where}"

    @property
    def count_matching(self) -> str:
        """Return the statement that counts how many of the first records in the order meet the condition."""
        source = f"{table(self.object)} ORDER BY {self.order} LIMIT {PASSED}"
        passed = f"SELECT * FROM {source}"
        met = f"SELECT FROM ({passed}) passed WHERE {self.condition} LIMIT {FULL}"
        return f"SELECT count(*) FROM ({met}) met"


class ListedConditions:
    """Remembers the conditions of lists of many records; ``changed`` is called when a condition is new."""

    def __init__(self, database: Database, changed: Callable[[], None]) -> None:
        self._database = database
        self._changed = changed
        self._recorded: set[ListedCondition] = set()
        self._day = date.min

    async def note(self, compiled: vql.CompiledQuery, registry: Registry) -> None:
        """Store the condition of a list of many records, once a day in each process."""
        today = datetime.now(UTC).date()
        if self._day != today:
            self._day = today
            self._recorded.clear()
        listed = listed_condition(compiled, registry)
        if listed is None or listed in self._recorded:
            return
        self._recorded.add(listed)
        async with self._database.connection() as connection:
            number = await connection.fetchval(COUNT, compiled.object_name)
            if number < order_indexes.MANY_RECORDS:
                return
            is_new = await connection.fetchval(NOTE, listed.statement, listed.keys)
        if is_new:
            self._changed()


def listed_condition(
    compiled: vql.CompiledQuery, registry: Registry
) -> ListedCondition | None:
    """Return the part of a list's condition that an index can have; None where an index would be of no use."""
    # The last term is the id; one without a name is no field of a record's own.
    order = compiled.order[:-1]
    if not order or not all(term.field for term in order):
        return None
    owner = compiled.source
    declared: list[str] = []
    keys: set[str] = set()
    for term in vql.terms_of(compiled.query.select.where):
        text = _declared(term, owner, registry)
        key = _key(term, owner, registry)
        if text:
            declared.append(text)
        elif key:
            keys.add(key)
    # A reference has an index, which finds the few records that refer to one.
    has_other = any(needs_index(owner.fields[name]) for name in keys)
    if not declared and (has_other or not keys):
        return None
    where = f" WHERE {' AND '.join(sorted(set(declared)))}" if declared else ""
    terms = [f"{each.field} {'DESC' if each.descending else 'ASC'}" for each in order]
    statement = f"SELECT id FROM {owner.name}{where} ORDER BY {', '.join(terms)}"
    return ListedCondition(statement, tuple(sorted(keys)))


def _declared(term: vql.Expression, owner: VaultObject, registry: Registry) -> str:
    """Return the VQL of a term that compares a field with declared values, or with null; empty for any other term."""
    field = _own_field(term, owner)
    if field is None:
        return ""
    names = _values(field, owner, registry)
    match term:
        case vql.Comparison(_, Operator.EQUAL | Operator.NOT_EQUAL as operator, value):
            is_known = value is None or value in names
            return f"{field.name} {operator} {_literal(value)}" if is_known else ""
        case vql.Contains(_, values) if names.issuperset(values):
            return f"{field.name} CONTAINS ({', '.join(map(_literal, values))})"
        case _:
            return ""


def _key(term: vql.Expression, owner: VaultObject, registry: Registry) -> str:
    """Return the field that a term compares with one value, if an index by it is of use; empty for any other term."""
    field = _own_field(term, owner)
    is_equality = isinstance(term, vql.Comparison) and term.operator is Operator.EQUAL
    if field is None or field.unique or not is_equality or not sorts(field):
        return ""
    # No record has what nobody has declared.
    return "" if _values(field, owner, registry) else field.name


def _own_field(term: vql.Expression, owner: VaultObject) -> Field | None:
    """Return the field that a term compares if it is one of ``owner`` itself; otherwise None."""
    match term:
        case vql.Comparison(vql.Operand(vql.Path((name,)), None)) | vql.Contains(
            vql.Operand(vql.Path((name,)), None)
        ):
            field = owner.fields.get(name)
            return None if field is None or field.multi_value else field
        case _:
            return None


def _values(field: Field, owner: VaultObject, registry: Registry) -> frozenset[object]:
    """Return the values that the configuration declares for a field; empty for a field without declared values."""
    lifecycle = registry.lifecycles.get(owner.lifecycle or "")
    if field.name == STATE and lifecycle is not None:
        return frozenset(lifecycle.states)
    picklist = registry.picklists.get(field.picklist or "")
    if picklist is not None:
        return frozenset(picklist.entries)
    return frozenset((True, False)) if field.type is FieldType.BOOLEAN else frozenset()


def _literal(value: object) -> str:
    if isinstance(value, str):
        return vql.literal(value)
    if value is None:
        return "null"
    return str(value).lower()


async def build_list_indexes(connection: Connection, registry: Registry) -> None:
    """Build missing indexes without blocking reads and writes, and drop those that are of no use."""
    await connection.execute(FORGET)
    rows = await connection.fetch(EXISTING, SCHEMA)
    existing = {row["name"]: row["whole"] for row in rows}
    wanted = await _required(connection, registry, existing)
    for name, whole in existing.items():
        if name not in wanted or not whole:
            log.info("list_index.dropped", index=name)
            drop = f'DROP INDEX CONCURRENTLY IF EXISTS {SCHEMA}."{name}"'
            await connection.execute(drop, timeout=BUILD_SECONDS)
    for name, index in wanted.items():
        if not existing.get(name):
            log.info("list_index.building", index=name, object=index.object)
            await connection.execute(index.create, timeout=BUILD_SECONDS)
            log.info("list_index.built", index=name)


async def _required(
    connection: Connection, registry: Registry, existing: Mapping[str, bool]
) -> Mapping[str, ListIndex]:
    """Return the required indexes by name: those of the conditions used last."""
    wanted: dict[str, ListIndex] = {}
    of_object: Counter[str] = Counter()
    for row in await connection.fetch(USED):
        listed = ListedCondition(row["statement"], tuple(row["keys"]))
        index = index_of(listed, registry)
        if index is None or of_object[index.object] == MOST_INDEXES:
            continue
        if index.name in existing or await _is_rare(connection, index):
            of_object[index.object] += 1
            wanted[index.name] = index
    return wanted


async def _is_rare(connection: Connection, index: ListIndex) -> bool:
    """Return whether so few records meet the condition that a page in the list's order has to pass many others."""
    if index.keyed:
        return True
    met: int = await connection.fetchval(index.count_matching, timeout=BUILD_SECONDS)
    return met < FULL


def index_of(listed: ListedCondition, registry: Registry) -> ListIndex | None:
    """Return the index of a listed condition; None when its object or one of its fields no longer exists."""
    try:
        query = vql.parse(listed.statement)
        compiled = vql.compile_query(query, registry, lambda _: True)
        keys = [compiled.source.fields[name].name for name in listed.keys]
    except (vql.VqlError, KeyError):
        return None
    alias = f"{FIRST_ALIAS}."
    order = ", ".join(term.sql for term in compiled.order).replace(alias, "")
    columns = ", ".join([*map(quote, keys), order])
    _, _, matching = compiled.matching.partition(" WHERE ")
    condition = matching.replace(alias, "")
    # From the last one, for $1 is the beginning of $10.
    for number, value in reversed([*enumerate(compiled.matching_parameters, 1)]):
        condition = condition.replace(f"${number}::", f"{constant(value)}::")
    shape = f"{columns} {condition}"
    digest = hashlib.sha256(shape.encode()).hexdigest()[:DIGEST_LENGTH]
    name = schema_name(compiled.object_name, digest, "list")
    return ListIndex(
        object=compiled.object_name,
        name=name,
        columns=columns,
        order=order,
        condition=condition,
        keyed=bool(keys),
    )
