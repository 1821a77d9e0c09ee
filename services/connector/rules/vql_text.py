"""VQL text: quoted literals, id lists, and statements cut to the length a Vault accepts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from services.connector.rules.object_metadata import DOCUMENTS

MAX_STATEMENT = 50_000
MAX_KEYS = 500


def literal(value: str) -> str:
    """A string as a VQL literal."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def contains(field: str, values: Iterable[str]) -> str:
    """The condition that ``field`` is one of ``values``."""
    return f"{field} CONTAINS ({','.join(map(literal, values))})"


def statements(
    head: str,
    field: str,
    values: Iterable[str],
    *,
    conditions: str | None = None,
    keys: int = MAX_KEYS,
) -> Iterator[str]:
    """``{head} WHERE {field} CONTAINS (…) [AND {conditions}]``, as many as the limits on keys and text need."""
    tail = f" AND {conditions}" if conditions else ""
    room = MAX_STATEMENT - len(head) - len(tail) - len(field) - 32
    chunk: list[str] = []
    used = 0
    for value in values:
        size = len(literal(value)) + 1
        if chunk and (used + size > room or len(chunk) == keys):
            yield f"{head} WHERE {contains(field, chunk)}{tail}"
            chunk, used = [], 0
        chunk.append(value)
        used += size
    if chunk:
        yield f"{head} WHERE {contains(field, chunk)}{tail}"


MODIFIED = "modified_date__v"


def modified_field(object_name: str) -> str:
    """The field that says when a source record was last modified."""
    return "version_modified_date__v" if object_name == DOCUMENTS else MODIFIED


def select(items: str, object_name: str) -> str:
    """``SELECT {items} FROM {object}``, to which conditions may be added."""
    if object_name == DOCUMENTS:
        return f"SELECT LATESTVERSION {items} FROM ALLVERSIONS {object_name}"  # noqa: S608  VQL of names
    return f"SELECT {items} FROM {object_name}"  # noqa: S608  VQL of names
