"""Templates of notifications: text with ``${field}`` tokens, and the query for what they stand for."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from shared.vault import vql
from shared.vault.components.component_errors import ComponentError
from shared.vault.components.registry import Registry

__all__ = ["ComponentError", "rendered", "token_paths", "value_text", "values_query"]

_TOKEN = re.compile(r"\$\{([^{}]*)\}")
_PATH = re.compile(r"[a-z0-9_]+(?:\.[a-z0-9_]+)*")


def token_paths(text: str) -> tuple[str, ...]:
    """The fields that a template names, each once: ``name__v``, or ``owner__cr.name__v`` of a record referred to.

    :raises ComponentError: for a token that is not closed, or that names no field.
    """
    paths = [match.strip() for match in _TOKEN.findall(text)]
    if text.count("${") != len(paths) or not all(
        _PATH.fullmatch(path) for path in paths
    ):
        message = "a token is written ${field} or ${relationship.field}"
        raise ComponentError(message)
    return tuple(dict.fromkeys(paths))


def values_query(
    paths: Collection[str], object_name: str, registry: Registry, ids: Sequence[str]
) -> vql.CompiledQuery:
    """The query for these fields of the records; its first column is the id.

    :raises VqlError: if the object, or what it refers to, lacks one of them.
    """
    named = ", ".join(
        "'" + identifier.replace("\\", "\\\\").replace("'", "\\'") + "'"
        for identifier in ids
    )
    selected = ", ".join(dict.fromkeys(["id", *paths]))
    text = f"SELECT {selected} FROM {object_name} WHERE id CONTAINS ({named})"
    return vql.compile_query(vql.parse(text), registry, _everything)


def rendered(template: str, values: Mapping[str, str]) -> str:
    """The template with each token replaced by its value; values are not looked through for tokens."""
    return _TOKEN.sub(lambda match: values.get(match[1].strip(), ""), template)


def value_text(value: object) -> str:
    """A field's value as a reader sees it; nothing for none."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M UTC")
    if isinstance(value, list | tuple):
        return ", ".join(value_text(item) for item in value)
    return str(value)


def _everything(_object_name: str) -> bool:
    """Templates are the configuration's, not the caller's: they may name any field."""
    return True
