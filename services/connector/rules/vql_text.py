"""Writes VQL: literals, heads that read records or documents, and lists of keys within a Vault's limits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from services.connector.rules.object_metadata import DOCUMENTS

MAX_STATEMENT = 50_000
"""Characters of a query that a Vault accepts."""
MAX_KEYS = 500
"""Keys in one CONTAINS: one a record of a full work unit."""
_SYNTAX = 32
"""Characters of `` WHERE … CONTAINS (…)``, with some to spare."""

MODIFIED = "modified_date__v"


def literal(value: str) -> str:
    """Return a string as a VQL literal."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def contains(
    field: str,
    values: Iterable[str],
) -> str:
    """Return the condition that ``field`` is one of ``values``."""
    literals = ",".join(map(literal, values))
    return f"{field} CONTAINS ({literals})"


def statements(
    head: str,
    field: str,
    values: Iterable[str],
    *,
    conditions: str | None = None,
    keys: int = MAX_KEYS,
) -> Iterator[str]:
    """Yield ``{head} WHERE {field} CONTAINS (…) [AND {conditions}]``, as often as the limits on keys and text need."""
    tail = f" AND {conditions}" if conditions else ""
    room = MAX_STATEMENT - len(head) - len(tail) - len(field) - _SYNTAX
    chunk: list[str] = []
    used = 0
    for value in values:
        size = len(literal(value)) + 1  # and a comma
        if chunk and (used + size > room or len(chunk) == keys):
            yield f"{head} WHERE {contains(field, chunk)}{tail}"
            chunk = []
            used = 0
        chunk.append(value)
        used += size
    if chunk:
        yield f"{head} WHERE {contains(field, chunk)}{tail}"


def modified_field(object_name: str) -> str:
    """Return the field that says when a source record was last modified."""
    # Each version of a document has a modified date of its own.
    return "version_modified_date__v" if object_name == DOCUMENTS else MODIFIED


def select(
    items: str,
    object_name: str,
) -> str:
    """Return ``SELECT {items} FROM {object}``, to which conditions may be added."""
    if object_name == DOCUMENTS:
        # A document has one id in all its versions. LATESTVERSION reads the newest of those that fulfil the
        # conditions, so that a new draft does not hide what was approved before it.
        return f"SELECT LATESTVERSION {items} FROM ALLVERSIONS {object_name}"  # noqa: S608  VQL of names
    return f"SELECT {items} FROM {object_name}"  # noqa: S608  VQL of names
