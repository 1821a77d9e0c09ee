"""Reads the reference lookups of a Vault: all where they fit one page, else only the keys of the rows at hand."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from services.connector.rules.lookups import (
    KeyedEntries,
    LookupName,
    Lookups,
    LookupSet,
    LookupType,
    read_lookups,
)
from services.connector.rules.rows import literal, statements
from services.connector.rules.rule import IntegrationRule
from services.connector.vaults.record_access import RecordReads
from shared.client.results import Row, text
from shared.runtime.waiting import concurrently

_CONNECTION, _NAME = "connection__sys", "reference_lookup_name__sys"
_TYPE, _SOURCE = "reference_lookup_type__sys", "source_key__sys"
_TARGET, _TARGET_KEY = "target_object__sys", "target_key_field__sys"
_HEAD = (
    f"SELECT id, {_CONNECTION}, {_NAME}, {_TYPE}, {_TARGET}, {_TARGET_KEY}, {_SOURCE}, target_key__sys, status__v "  # noqa: S608  VQL of names
    "FROM reference_lookup__sys"
)
_ACTIVE = "status__v = 'active__v'"
ALL = f"{_HEAD} WHERE {_ACTIVE}"
PAGE = 1000
"""Rows that one call answers."""
MAX_KEY = 255
"""Characters of a source key: no longer value has a row."""

RequiredKeys = Sequence[tuple[LookupSet, Collection[str]]]
"""Lookup sets, each with the source keys of the rows that are to be evaluated."""


def by_connection(rows: Iterable[Row]) -> dict[str, Lookups]:
    """Return lookup sets by the id of their connection."""
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        connection = text(row, _CONNECTION)
        grouped.setdefault(connection, []).append(row)
    return {connection: read_lookups(own) for connection, own in grouped.items()}


class LookupReader:
    """Reads the lookups of one Vault."""

    def __init__(self, client: RecordReads) -> None:
        self._client = client

    async def page(self) -> list[Row] | None:
        """Return all rows; None when one call does not return them all.

        :raises ClientError: the call fails.
        """
        answer = await self._client.query(f"{ALL} MAXROWS {PAGE}")
        return answer.rows if len(answer.rows) < PAGE else None

    async def whole(self) -> dict[str, Lookups]:
        """Return all sets with all their entries, page after page.

        :raises ClientError: one of the calls fails.
        """
        answer = await self._client.query(ALL)
        return by_connection(answer.rows)

    async def keyed(
        self,
        rules: Iterable[IntegrationRule],
        connections: Mapping[str, str],
    ) -> dict[str, Lookups]:
        """Return the sets that rules name, without entries yet; ``connections`` are record ids by API name.

        :raises ClientError: one of the calls fails.
        """
        named: dict[tuple[str, LookupName], None] = {}
        for rule in rules:
            connection = connections.get(rule.connection)
            for part in rule.field_rules:
                kind = part.reference_lookup_type
                # No set is without a type.
                untyped = kind is LookupType.UNTYPED
                if part.reference_lookup and connection and not untyped:
                    named[connection, (kind, part.reference_lookup)] = None
        async with concurrently() as group:
            reads = [
                group.create_task(self._empty(connection, name))
                for connection, name in named
            ]
        found: dict[str, dict[LookupName, LookupSet]] = {}
        for (connection, name), read in zip(named, reads, strict=True):
            found.setdefault(connection, {})[name] = read.result()
        return dict(found)

    async def _empty(self, connection: str, name: LookupName) -> LookupSet:
        kind = LookupType(name[0])
        entries = KeyedEntries()
        found = LookupSet(name[1], kind, entries, connection=connection)
        if not kind.leads_to_records:
            return found
        conditions = f"{_conditions(found)} AND {_TARGET} != null"
        answer = await self._client.query(f"{_HEAD} WHERE {conditions} MAXROWS 1")
        # A set without a row that names its target refers to what its field refers to.
        row = answer.rows[0] if answer.rows else {}
        return LookupSet(
            found.name,
            kind,
            entries,
            text(row, _TARGET) or None,
            text(row, _TARGET_KEY) or None,
            connection,
        )

    async def read(self, wanted: RequiredKeys) -> None:
        """Read the rows of those keys that were not looked up yet.

        :raises ClientError: one of the calls fails.
        """
        # Again while another unit puts out what this one has read: afterwards nothing is awaited any more.
        while any(lookup.unread(keys) for lookup, keys in wanted):
            async with concurrently() as group:
                for lookup, keys in wanted:
                    group.create_task(self._add(lookup, keys))

    async def _add(self, lookup: LookupSet, wanted: Collection[str]) -> None:
        unread = lookup.unread(wanted)
        possible = sorted(key for key in unread if len(key) <= MAX_KEY)
        conditions = _conditions(lookup)
        rows: list[Row] = []
        for vql in statements(_HEAD, _SOURCE, possible, conditions=conditions):
            answer = await self._client.query(vql)
            rows += answer.rows
        found = read_lookups(rows).get((lookup.type, lookup.name))
        if isinstance(lookup.entries, KeyedEntries):
            lookup.entries.add(unread, found.entries if found else {}, wanted)


def _conditions(lookup: LookupSet) -> str:
    """Return the conditions of the active rows of a set."""
    parts = (
        _ACTIVE,
        f"{_CONNECTION} = {literal(lookup.connection)}",
        f"{_NAME} = {literal(lookup.name)}",
        f"{_TYPE} = {literal(f'{lookup.type}__sys')}",
    )
    return " AND ".join(parts)
