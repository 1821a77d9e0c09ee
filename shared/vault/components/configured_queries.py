"""Compiles the VQL that configuration contains: entry criteria of states, and tokens in templates of notifications."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from shared.vault import vql
from shared.vault.components.component_errors import ComponentError
from shared.vault.components.registry import Registry
from shared.vault.model.component_model import EntryCriterion

__all__ = [
    "ComponentError",
    "check_criterion",
    "check_entry_criteria",
    "rendered",
    "satisfied_query",
    "token_paths",
    "value_text",
    "values_query",
]

_TOKEN = re.compile(r"\$\{([^{}]*)\}")
_PATH = re.compile(r"[a-z0-9_]+(?:\.[a-z0-9_]+)*")


def token_paths(text: str) -> tuple[str, ...]:
    """Return the fields that a template names, each once: ``name__v``, or ``owner__cr.name__v`` of a record referred to.

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
    """Return the query for these fields of the records; its first column is the id.

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
    """Return the template with each token replaced by its value; tokens within values stay as they are."""
    return _TOKEN.sub(lambda match: values.get(match[1].strip(), ""), template)


def value_text(value: object) -> str:
    """Return a field's value as a reader sees it; an empty string for None."""
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
    """Allow every object: the text is the configuration's, not the caller's."""
    return True


def check_entry_criteria(registry: Registry) -> None:
    """Check every criterion against the fields of every object whose records enter its state.

    :raises ComponentError: at the first that is not VQL, or names what the object does not have.
    """
    for vault_object in registry.objects.values():
        lifecycle = registry.lifecycles.get(vault_object.lifecycle or "")
        for state in lifecycle.states.values() if lifecycle is not None else ():
            for criterion in state.entry_criteria:
                try:
                    check_criterion(criterion, vault_object.name, registry)
                except vql.VqlError as error:
                    path = f"Objectlifecycle.{vault_object.lifecycle}: {state.name}: {criterion.name}"
                    raise ComponentError(
                        f"{path}: for Object.{vault_object.name}: {error}"
                    ) from error


def check_criterion(
    criterion: EntryCriterion, object_name: str, registry: Registry
) -> None:
    """Check one criterion against an object's fields.

    :raises VqlError: if it is not VQL, or names what the object does not have.
    """
    vql.check_criteria(
        vql.parse_criteria(criterion.criteria), object_name, registry, _everything
    )


def satisfied_query(
    criterion: EntryCriterion,
    object_name: str,
    registry: Registry,
    ids: Collection[str],
) -> vql.CompiledQuery:
    """Return the query for those of the records that meet the criterion; its one column is the id.

    :raises VqlError: as ``check_criterion`` does.
    """
    named = ", ".join(
        "'" + identifier.replace("\\", "\\\\").replace("'", "\\'") + "'"
        for identifier in ids
    )
    text = f"SELECT id FROM {object_name} WHERE id CONTAINS ({named}) AND ({criterion.criteria})"
    return vql.compile_query(vql.parse(text), registry, _everything)
