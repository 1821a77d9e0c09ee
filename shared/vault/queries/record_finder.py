"""Finds records by the beginnings of words that a user types: of one object, or of each of many."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation, may, require
from shared.vault.configuration.search_indexes import index_states
from shared.vault.errors import VaultFault
from shared.vault.model.component_model import RelationshipType
from shared.vault.model.field_types import is_key, quoted, table, words_sql
from shared.vault.queries.query_pages import unless_changed

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.model.component_model import VaultObject
    from shared.vault.storage.database import Connection, Database

OFFERED = 10  # records
MOST_OFFERED = 50
MAX_TYPED = 200  # characters; what follows is not looked at
MAX_WORDS = 8  # of those that related records are searched for
# Of a frequent beginning not all records are ranked, or searched for further words: another letter makes it rarer.
RANKED = 500
RELATED = 1_000
EVERYWHERE_SECONDS = 2

_MATCHES = "{words} @@ (SELECT platform.beginnings({typed}))"
# The index of words lacks ids and ends of Links; both are in upper case.
_TYPED_KEYS = "(SELECT platform.words_of(upper(platform.folded({typed}))))::text[]"
_MATCHES_WITH_KEYS = """({named}) AND {words} || platform.search_words(ARRAY[{keys}], NULL)
    @@ (SELECT platform.beginnings({typed}))"""
# Without the index, the words of a million records would be made for each search: then only names are read.
_NAMED = """platform.folded(t.name__v) COLLATE "und-x-icu" ~ ALL (
    (SELECT array_agg(platform.search_pattern(ARRAY[word, ''])) FROM unnest($3::text[]) AS word)::text[])"""
# The records whose name begins as typed come first, then those with the words in their name.
_OFFER = """
SELECT id, name FROM ({found}) found
ORDER BY starts_with(platform.folded(name), platform.folded($1)) DESC,
    platform.search_words(ARRAY[name], NULL) @@ platform.beginnings($1) DESC, name COLLATE "und-x-icu", id
LIMIT $2
"""


Parts = Sequence[tuple["VaultObject", str]]
"""Objects whose records belong to those of another object, each with the field that refers to it."""


@dataclass(frozen=True, slots=True)
class FoundRecord:
    """A matching record, with the values by which users recognize it."""

    id: str
    name: str


@dataclass(slots=True)
class FoundEverywhere:
    """The records that were found, by object; ``whole`` is True when the time sufficed to search all objects."""

    records: dict[str, list[FoundRecord]] = field(default_factory=dict)
    whole: bool = False


class RecordFinder:
    """Finds records for pages and calls in which a user chooses one."""

    def __init__(self, database: Database, components: ComponentService) -> None:
        self._database = database
        self._components = components

    async def find(
        self,
        caller: Caller,
        object_name: str,
        typed: str,
        limit: int = OFFERED,
    ) -> list[FoundRecord]:
        """Return the records that have a word with each typed beginning, the best matches first.

        The words may be in any order and in any text of the record, including external ids; its id and its Link count
        when they are whole. If ``limit`` is not reached, records are added that contain some of the words themselves
        and the others in records that belong to them, such as the city of an account's address. Case and accents are
        ignored.

        :raises VaultFault: INSUFFICIENT_ACCESS; INVALID_DATA for an unknown object; API_LIMIT_EXCEEDED and
            OPERATION_NOT_ALLOWED as for queries.
        """
        return await unless_changed(
            self._components, lambda: self._find(caller, object_name, typed, limit)
        )

    async def _find(
        self,
        caller: Caller,
        object_name: str,
        typed: str,
        limit: int,
    ) -> list[FoundRecord]:
        owner = self._components.registry.objects.get(object_name)
        if owner is None:
            message = f"There is no object [{object_name[:100]}]"
            raise VaultFault(ErrorType.INVALID_DATA, message)
        require(caller, object_name, Operation.READ)
        parts = self._parts(caller, owner)
        async with self._database.query_connection(caller.user_id) as connection:
            return await offered(connection, owner, parts, typed, limit)

    async def find_everywhere(
        self, caller: Caller, object_names: Iterable[str], typed: str, limit: int
    ) -> FoundEverywhere:
        """Return the first records of each object that have a word with each typed beginning, or the typed id.

        Objects are searched in their order, for ``EVERYWHERE_SECONDS`` in all; those that the caller may not read, and
        those without a match, are omitted. An object without a search index is searched by id only.

        :raises VaultFault: API_LIMIT_EXCEEDED and OPERATION_NOT_ALLOWED as for queries.
        """
        text = typed.replace("\0", " ")[:MAX_TYPED].strip()
        found = FoundEverywhere()
        if not text:
            found.whole = True
            return found
        registry = self._components.registry
        known = [registry.objects[name] for name in object_names]
        readable = [each for each in known if may(caller, each.name, Operation.READ)]
        try:
            async with (
                asyncio.timeout(EVERYWHERE_SECONDS),
                self._database.query_connection(caller.user_id) as connection,
            ):
                whole = await index_states(connection)
                for owner in readable:
                    rows = await _first(connection, owner, whole, text, limit)
                    if rows:
                        found.records[owner.name] = _distinct(rows)
                found.whole = True
        except TimeoutError:
            # What was found by then is shown, and that it is not all.
            found.whole = False
        return found

    def _parts(self, caller: Caller, owner: VaultObject) -> Parts:
        """Return objects whose records belong to those of ``owner``, each with the field that refers to ``owner``.

        Objects that the caller may not read are omitted.
        """
        registry = self._components.registry
        return [
            (registry.objects[name], field.name)
            for name, field in registry.inbound(owner.name).values()
            if field.relationship_type is RelationshipType.PARENT
            and may(caller, name, Operation.READ)
        ]


async def offered(
    connection: Connection,
    owner: VaultObject,
    parts: Parts,
    typed: str,
    limit: int,
) -> list[FoundRecord]:
    """Return the matching records of an object, at most ``limit``; those found by their ``parts`` come last."""
    text = typed.replace("\0", " ")[:MAX_TYPED]
    words = text.split()[:MAX_WORDS]
    wanted = max(0, min(limit, MOST_OFFERED))
    if not words:
        return []
    whole = await index_states(connection)
    if not whole.get(owner.name):
        rows = await connection.fetch(named_sql(owner), text, wanted, words)
        return _distinct(rows)
    rows = await connection.fetch(own_sql(owner), text, wanted)
    searched = [part for part in parts if whole.get(part[0].name)]
    if len(rows) < wanted and searched:
        rows += await _related(connection, owner, searched, text, wanted, words)
    return _distinct(rows)[:wanted]


async def _first(
    connection: Connection,
    owner: VaultObject,
    whole: Mapping[str, bool],
    text: str,
    limit: int,
) -> list[Record]:
    """Return the rows of the first records of an object that have all words, or the id."""
    if whole.get(owner.name):
        return await connection.fetch(own_sql(owner), text, limit)
    by_id = f"SELECT id, name__v AS name FROM {table(owner.name)} WHERE id = $1"
    return await connection.fetch(by_id, text)


def named_sql(owner: VaultObject) -> str:
    """Return the statement for records with all words in their name: $1 is the text, $2 the limit, $3 the words."""
    found = f"SELECT t.id, t.name__v AS name FROM {table(owner.name)} t WHERE {_NAMED} LIMIT {RANKED}"
    return _OFFER.format(found=found)


def own_sql(owner: VaultObject) -> str:
    """Return the statement for records that contain all words themselves: $1 is the typed text, $2 the limit."""
    found = _found(owner, "t.id, t.name__v AS name", RANKED)
    return _OFFER.format(found=" UNION ".join(found))


def _found(owner: VaultObject, columns: str, limit: int) -> list[str]:
    """Return statements that select columns of the records that contain all words of $1."""
    return [
        f"(SELECT {columns} FROM {table(owner.name)} t WHERE {matches} LIMIT {limit})"
        for matches in _matches(owner, "t", "$1")
    ]


def _matches(source: VaultObject, alias: str, typed: str) -> list[str]:
    """Return two conditions, of which a record meets one if it has what is typed: without and with its id and Link."""
    words = words_sql(source, alias)
    fields = source.fields.values()
    keys = [f"{alias}.{quoted(field.name)}" for field in fields if is_key(field)]
    typed_keys = _TYPED_KEYS.format(typed=typed)
    named = " OR ".join(f"{key} = ANY({typed_keys})" for key in keys)
    with_keys = _MATCHES_WITH_KEYS.format(
        named=named, words=words, keys=", ".join(keys), typed=typed
    )
    return [_MATCHES.format(words=words, typed=typed), f"({with_keys})"]


async def _related(
    connection: Connection,
    owner: VaultObject,
    parts: Parts,
    typed: str,
    wanted: int,
    words: Sequence[str],
) -> list[Record]:
    """Return the records that contain all words, themselves or in records that belong to them."""
    sql = candidates_sql(owner, parts)
    candidates = [await connection.fetch(sql, word) for word in words]
    # The rarest word leads to the fewest records, which are then searched for the others.
    fewest = min(candidates, key=len)
    rest = [
        word
        for word, found in zip(words, candidates, strict=True)
        if found is not fewest
    ]
    ids = [row[0] for row in fewest]
    return await connection.fetch(
        related_sql(owner, parts, len(rest)), typed, wanted, rest, ids
    )


def candidates_sql(owner: VaultObject, parts: Parts) -> str:
    """Return the statement for ids of records that contain a word, $1, themselves or in records that belong to them."""
    selects: list[str] = []
    for source, key in [(owner, "id"), *parts]:
        selects += _found(source, f"t.{quoted(key)}", RELATED)
    return " UNION ".join(selects)


def related_sql(owner: VaultObject, parts: Parts, count: int) -> str:
    """Return the statement for the records with the ids $4 that contain the ``count`` words $3, also in their parts."""
    conditions = ["t.id = ANY($4::text[])", "$3::text[] IS NOT NULL"]
    for number in range(1, count + 1):
        typed = f"($3::text[])[{number}]"
        either = _matches(owner, "t", typed)
        for source, key in parts:
            matches = " OR ".join(_matches(source, "s", typed))
            either.append(
                f"EXISTS (SELECT FROM {table(source.name)} s WHERE s.{quoted(key)} = t.id AND ({matches}))"
            )
        conditions.append(f"({' OR '.join(either)})")
    where = " AND ".join(conditions)
    found = f"SELECT t.id, t.name__v AS name FROM {table(owner.name)} t WHERE {where} LIMIT {RANKED}"
    return _OFFER.format(found=found)


def _distinct(rows: Sequence[Record]) -> list[FoundRecord]:
    found = {row["id"]: FoundRecord(row["id"], row["name"] or "") for row in rows}
    return list(found.values())
