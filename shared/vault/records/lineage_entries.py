"""Stores lineage, a row for one or many written records, in the transaction of the write; reads that of requests."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import repeat
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

import orjson

from shared.vault.model.field_types import array_text
from shared.vault.model.record_ranges import SEVERAL, divided

FIELD = "lineage__sys"
"""The key of a row's :class:`RowLineage`, which is a list. It is no field of the object."""

MAX_ID = 255  # characters of a message id or of a source record's
PARTS = 3
# Columns that only rows of many records have: the first and last id, the ids and the source records.
ARRAYS = 4


class RowLineage(NamedTuple):
    """The lineage of one row: the number of its origin in the call, the message id and the source record id."""

    origin: int
    message_id: str
    source_record: str | None


class LineageEntry(NamedTuple):
    """A record that a row with lineage has written, and the fields that the row changed or set for the first time."""

    record_id: str
    lineage: RowLineage
    fields: frozenset[str]


@dataclass(frozen=True, slots=True)
class Origin:
    """The source object and rule that rows of a call share; the integration point sets the fields ``own`` itself.

    Without a rule the point sets all fields itself.
    """

    object: str | None
    rule: str | None
    own: frozenset[str]

    def split(self, fields: frozenset[str]) -> tuple[list[str], list[str]]:
        """Return the fields that the rule sets, and those that the point sets itself, sorted."""
        own = fields if self.rule is None else fields & self.own
        ruled = fields - own
        return sorted(ruled), sorted(own)


@dataclass(frozen=True, slots=True)
class CallLineage:
    """The lineage of a call: origins of its rows, the run (a job id), and the time by the caller's clock."""

    source_vault_id: int
    integration: str
    integration_point: str
    run: int | None
    time: datetime
    origins: tuple[Origin, ...]


def read_row(value: object) -> RowLineage | None:
    """Return the lineage in ``[origin, message id, source record id or null]``; None for a value of another shape.

    ``check_lineage`` checks later that the call has the origin.
    """
    # The types themselves: True is an int in Python as well, but never the number of an origin.
    if type(value) is not list or len(value) != PARTS:
        return None
    origin, message, record = value
    if type(origin) is not int or origin < 0 or not _is_id(message):
        return None
    fits = record is None or _is_id(record)
    return RowLineage(origin, message, record) if fits else None


def _is_id(text: object) -> bool:
    return type(text) is str and 0 < len(text) <= MAX_ID and "\x00" not in text


if TYPE_CHECKING:
    from shared.vault.storage.database import Connection, Database

HEADER = "X-VaultAPI-Lineage"
RETENTION = timedelta(days=30)  # what has been overwritten
MISSED = timedelta(days=7)  # for so long housekeeping may be away
PURGE = 2000  # records of one statement

# The records are locked: their later entries have ids above the last one that any transaction has drawn by now. An
# origin that is there already costs a look at the index; nothing is locked.
NOTE = """
WITH origins AS (
    INSERT INTO platform.lineage_origin
        (id, source_vault_id, source_object, integration, integration_point, rule, ruled, own)
    SELECT u.id, $1, u.object, $2, $3, u.rule, string_to_array(u.ruled, ','), string_to_array(u.own, ',')
    FROM unnest($4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[]) AS u(id, object, rule, ruled, own)
    ON CONFLICT DO NOTHING
), kinds AS MATERIALIZED (
    SELECT nextval('platform.lineage_call_id_seq') AS id, u.* FROM unnest($9::uuid[], $10::text[])
        WITH ORDINALITY AS u(origin, message, number)
), calls AS (
    INSERT INTO platform.lineage_call (id, object, origin, message_id, run, told, audited) OVERRIDING SYSTEM VALUE
    SELECT k.id, $11, k.origin, k.message, $12, $13, pg_sequence_last_value('platform.audit_entry_id_seq') FROM kinds k
)
INSERT INTO platform.lineage (call, record_id, source_record, records, record_ids, source_records)
SELECT k.id, u.record, u.source, CASE WHEN u.ids IS NOT NULL THEN platform.record_range(u.first, u.last, '[]') END,
    u.ids::text[], u.sources::text[]
FROM unnest($14::text::integer[], $15::text::text[], $16::text::text[], $17::text[], $18::text[], $19::text[],
        $20::text[]) AS u(kind, record, source, first, last, ids, sources)
    JOIN kinds k ON k.number = u.kind
"""
# Each record as ``e``, with the row ``l`` that it is in.
LINES = """platform.lineage l
    LEFT JOIN LATERAL (
        SELECT unnest(l.record_ids) AS record_id, unnest(l.source_records) AS source_record
        WHERE l.record_ids IS NOT NULL
    ) m ON true
    CROSS JOIN LATERAL (
        SELECT coalesce(m.record_id, l.record_id) AS record_id, coalesce(m.source_record, l.source_record) AS source
    ) e"""


def of_record(record_id: str) -> str:
    """Return the condition that a line is of a record, by the indexes; ``record_id`` is SQL of the id."""
    return f"(l.record_id = {record_id} OR l.records @> {record_id}) AND e.record_id = {record_id}"


# Rows of which records are removed, whose lines are looked through afterwards: locked, so that no other transaction
# removes of them meanwhile.
LOCK = """
SELECT ctid::text FROM platform.lineage WHERE record_id = ANY($1::text[]) OR records @> ANY($1::text[])
ORDER BY call, ctid FOR UPDATE
"""
# The lines of records ($2) in the locked rows ($1). PostgreSQL looks for each line in a sub-select by its hash, in an
# array one by one.
_LOCKED = f"""lines AS MATERIALIZED (
    SELECT l.ctid AS place, e.record_id, l.call, k.object, k.written, k.origin
    FROM {LINES} JOIN platform.lineage_call k ON k.id = l.call
    WHERE l.ctid = ANY($1::text[]::tid[]) AND e.record_id IN (SELECT unnest($2::text[]))
)"""
# Records, rows that have no other records and, of a call that has no other rows, the call.
_REMOVED = """
, changed AS (
    UPDATE platform.lineage l SET (record_ids, source_records) = (
        SELECT array_agg(m.record_id), array_agg(m.source_record)
        FROM unnest(l.record_ids, l.source_records) AS m(record_id, source_record) WHERE m.record_id <> ALL(g.ids)
    )
    FROM gone g WHERE l.ctid = g.place AND NOT l.record_ids <@ g.ids
), removed AS (
    DELETE FROM platform.lineage l USING gone g WHERE l.ctid = g.place AND (l.record_ids <@ g.ids) IS NOT FALSE
    RETURNING l.ctid AS place, l.call
), emptied AS (
    DELETE FROM platform.lineage_call k WHERE k.id IN (SELECT call FROM removed) AND NOT EXISTS (
        SELECT FROM platform.lineage l WHERE l.call = k.id AND l.ctid NOT IN (SELECT place FROM removed)
    )
)
SELECT coalesce(sum(cardinality(ids)), 0) FROM gone
"""
FORGET = f"""
WITH {_LOCKED}, gone AS MATERIALIZED (
    SELECT place, array_agg(record_id) AS ids FROM lines
    WHERE (object, record_id) IN (SELECT * FROM unnest($3::text[], $2::text[])) GROUP BY place
){_REMOVED}"""
WRITTEN = f"""
SELECT DISTINCT e.record_id FROM platform.lineage_call k JOIN {LINES} ON l.call = k.id
WHERE k.written >= $1 AND k.written < $2 AND e.record_id > $3
ORDER BY e.record_id LIMIT $4
"""
# Each field of the line has a later one, which is as old as $3 itself.
OVERWRITTEN = f"""
WITH {_LOCKED}, fields AS (
    SELECT l.place, l.record_id, l.call,
        max(l.call) FILTER (WHERE l.written < $3) OVER (PARTITION BY l.object, l.record_id, field) AS latest
    FROM lines l JOIN platform.lineage_origin o ON o.id = l.origin CROSS JOIN LATERAL unnest(o.ruled || o.own) AS field
), overwritten AS (
    SELECT place, record_id FROM fields GROUP BY place, record_id HAVING bool_and(coalesce(latest > call, false))
), gone AS MATERIALIZED (
    SELECT place, array_agg(record_id) AS ids FROM overwritten GROUP BY place
){_REMOVED}"""


async def note_lineage(
    connection: Connection,
    object_name: str,
    entries: Sequence[LineageEntry],
    call: CallLineage | None,
) -> None:
    """Store the lineage of fields that a call has changed or set for the first time; do nothing without ``call``."""
    if call is None or not entries:
        return
    origins: dict[tuple[int, frozenset[str]], tuple[object, ...]] = {}
    kinds: dict[tuple[object, str], int] = {}
    places: dict[tuple[int, str, frozenset[str]], int] = {}
    lines: dict[int, tuple[list[str], list[str | None]]] = {}
    for record_id, (number, message_id, source_record), fields in entries:
        # Rows of one origin and message, as those of a call mostly are, share what the two say.
        alike = (number, message_id, fields)
        if alike not in places:
            origin = origins.setdefault((number, fields), _origin(call, number, fields))
            place = kinds.setdefault((origin[0], message_id), len(kinds) + 1)
            places[alike] = place
            lines.setdefault(place, ([], []))
        ids, sources = lines[places[alike]]
        ids.append(record_id)
        sources.append(source_record)
    head = (call.source_vault_id, call.integration, call.integration_point)
    common = (object_name, call.run, call.time)
    origin_columns = _columns(list(origins.values()))
    await connection.execute(
        NOTE,
        *head,
        *origin_columns,
        *_columns(list(kinds)),
        *common,
        *_line_columns(lines),
    )


def _line_columns(
    lines: Mapping[int, tuple[list[str], list[str | None]]],
) -> list[object]:
    """Return the columns of rows of many records, and after them of those with one, which have only the first three."""
    many: list[tuple[str, ...]] = []
    single: list[tuple[str | None, ...]] = []
    for place, (ids, sources) in lines.items():
        kind = str(place)
        is_few = len(ids) < SEVERAL
        together, apart = ([], [slice(None)]) if is_few else divided(ids)
        for part in together:
            own = ids[part]
            arrays = array_text(own), array_text(sources[part])
            many.append((kind, min(own), max(own), *arrays))
        for part in apart:
            kinds = repeat(kind)
            single += zip(kinds, ids[part], sources[part], strict=False)
    rows = [*((row[0], None, None) for row in many), *single]
    first_three = map(array_text, zip(*rows, strict=True))
    others = _columns([row[1:] for row in many]) or [[]] * ARRAYS
    return [*first_three, *others]


def _origin(
    call: CallLineage,
    number: int,
    fields: frozenset[str],
) -> tuple[object, ...]:
    """Return the row of an origin: its id, object and rule, and its two lists of fields as text with commas.

    The id is a digest of all of them: the same origin has the same id in every process, without asking the database.
    """
    origin = call.origins[number]
    ruled, own = (",".join(names) for names in origin.split(fields))
    parts = (origin.object, origin.rule, ruled, own)
    source = (call.source_vault_id, call.integration, call.integration_point)
    whole = orjson.dumps((*source, *parts))
    digest = hashlib.blake2b(whole, digest_size=16).digest()
    return UUID(bytes=digest), *parts


def _columns(lines: Sequence[tuple[object, ...]]) -> list[list[object]]:
    columns = zip(*lines, strict=True)
    return [list(column) for column in columns]


async def forget_lineage(
    connection: Connection,
    objects: Sequence[str],
    record_ids: Sequence[str],
) -> None:
    """Remove the lineage of records that are deleted; in a transaction."""
    places = await _locked(connection, record_ids)
    if places:
        await connection.execute(FORGET, places, record_ids, objects)


async def _locked(connection: Connection, record_ids: Sequence[str]) -> list[str]:
    """Lock the rows with lineage of records, and return their places."""
    rows = await connection.fetch(LOCK, record_ids)
    return [row["ctid"] for row in rows]


async def purge_lineage(database: Database) -> int:
    """Remove entries that were overwritten at least 30 days ago, and return their number.

    Only entries that have recently become that old are examined: earlier purges have examined the others.
    """
    until = datetime.now(UTC) - RETENTION
    removed, last = 0, ""
    while True:
        async with database.transaction() as connection:
            rows = await connection.fetch(WRITTEN, until - MISSED, until, last, PURGE)
            records = [row["record_id"] for row in rows]
            places = await _locked(connection, records)
            removed += int(
                await connection.fetchval(OVERWRITTEN, places, records, until)
            )
        if len(records) < PURGE:
            return removed
        last = records[-1]
