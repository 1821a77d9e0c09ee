"""Stores and reads the rows of audit entries: a row for one entry, or for many about records with neighbouring ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shared.vault.components.document_model import DOCUMENT_ID, VERSIONS
from shared.vault.model.field_types import array_text, table
from shared.vault.model.record_ranges import divided

if TYPE_CHECKING:
    from shared.vault.storage.database import Connection

Author = tuple[int, str | None, int | None]
"""The acting user's id, user name (if known), and the id of the user on whose behalf they act."""

Texts = Sequence[str | None]

Kind = tuple[int, str | None, int | None, str, str, str]
"""What entries of a call share: their author, trail, action and item."""

NO_TEXTS: Sequence[Texts] = ((), (), ())
NO_VALUES = (None, None, None)

EACH = """
INSERT INTO platform.audit_entry
    (user_id, user_name, on_behalf_of, trail, action, item, record_id, field, old_value, new_value)
SELECT $1, $2, $3, $4, $5, $6, u.*
FROM unnest($7::text::text[], $8::text::text[], $9::text::text[], $10::text::text[]) AS u
"""
# Events of records that change no field.
EVENTS = """
INSERT INTO platform.audit_entry
    (user_id, user_name, on_behalf_of, trail, action, item, record_id, new_value, details)
SELECT $1, $2, $3, $4, $5, $6, u, $8, $9::jsonb FROM unnest($7::text[]) AS u
"""
# With the document's number, and its latest version where no other is given: a later one may change both.
OF_DOCUMENTS = f"""
INSERT INTO platform.audit_entry
    (user_id, user_name, on_behalf_of, trail, action, item, record_id, field, old_value, new_value, details)
SELECT $1, $2, $3, $4, $5, $6, u.document, u.field, u.old, u.new, $12::jsonb || jsonb_build_object(
    'number', v.document_number__v,
    'version', coalesce(u.version, v.major_version_number__v::int || '.' || v.minor_version_number__v::int))
FROM unnest($7::text::text[], $8::text::text[], $9::text::text[], $10::text::text[], $11::text::text[])
    WITH ORDINALITY AS u(document, field, old, new, version, place)
LEFT JOIN {table(VERSIONS)} v ON v.{DOCUMENT_ID} = u.document::bigint AND v.latest_version__sys
ORDER BY u.place
"""
TOGETHER = """
INSERT INTO platform.audit_entry (user_id, user_name, on_behalf_of, trail, action, item, entries, records,
    record_ids, fields, old_values, new_values)
SELECT $1, $2, $3, $4, $5, $6, u.entries, platform.record_range(u.first, u.last, '[]'),
    u.ids::text[], u.fields::text[], u.old::text[], u.new::text[]
FROM unnest($7::smallint[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[])
    AS u(entries, first, last, ids, fields, old, new)
"""

# Each entry as ``e``, with the row ``a`` that it is in. A row with one entry is not unfolded: its condition is checked
# before the arrays are looked at.
ENTRIES = """platform.audit_entry a
    LEFT JOIN LATERAL (
        SELECT generate_series(1, a.entries) AS number, unnest(a.record_ids) AS record_id, unnest(a.fields) AS field,
            unnest(a.old_values) AS old_value, unnest(a.new_values) AS new_value
        WHERE a.record_ids IS NOT NULL
    ) l ON true
    CROSS JOIN LATERAL (
        SELECT a.id + coalesce(l.number - 1, 0) AS id, coalesce(l.record_id, a.record_id) AS record_id,
            coalesce(l.field, a.field) AS field, coalesce(l.old_value, a.old_value) AS old_value,
            coalesce(l.new_value, a.new_value) AS new_value
    ) e"""
# The number of entries in rows of ``a`` that are chosen as a whole.
COUNT = "count(*) + coalesce(sum(a.entries - 1), 0)"


def of_record(record_id: str) -> str:
    """Return the condition that an entry is about a record, by the indexes; ``record_id`` is SQL of the id."""
    return f"(a.record_id = {record_id} OR a.records @> {record_id}) AND e.record_id = {record_id}"


# The same for queries of a trail: what it is found by are columns of the trail, beside its fields.
FOUND_BY = 'a.record_id AS "row_record", a.records AS "row_records"'
RECORD_FOUND_BY = "({alias}.row_record = {ids} OR {alias}.row_records @> {ids})"


async def write_rows(
    connection: Connection,
    kind: Kind,
    ids: Sequence[str],
    values: Sequence[Texts],
) -> None:
    """Write entries about records; ``values`` are their fields, old and new values in the order of ``ids``, or none."""
    together, apart = divided(ids)
    if together:
        rows = [_row(part, ids, values) for part in together]
        columns = map(list, zip(*rows, strict=True))
        await connection.execute(TOGETHER, *kind, *columns)
    if apart:
        listed = [_chosen(column, apart) for column in (ids, *(values or NO_TEXTS))]
        await connection.execute(EACH, *kind, *listed)


def _row(
    part: slice, ids: Sequence[str], values: Sequence[Texts]
) -> tuple[object, ...]:
    own = ids[part]
    columns = [array_text(column[part]) for column in values] or NO_VALUES
    return len(own), min(own), max(own), array_text(own), *columns


def _chosen(column: Texts, parts: Sequence[slice]) -> str:
    return array_text(text for part in parts for text in column[part])
