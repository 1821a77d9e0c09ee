"""Compiles the VQL in configuration: entry criteria of states, and tokens in templates of notifications."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from shared.protocol.error_types import ErrorType
from shared.vault import vql
from shared.vault.components.component_errors import ComponentError
from shared.vault.components.registry import Registry
from shared.vault.model.component_model import (
    EntryCriterion,
    LifecycleState,
    VaultObject,
)
from shared.vault.model.field_types import DOCUMENTS

__all__ = [
    "ComponentError",
    "check_criterion",
    "check_entry_criteria",
    "criteria_query",
    "readable_paths",
    "rendered",
    "satisfied_query",
    "token_paths",
    "value_text",
    "values_query",
]

NO_TARGETS: Mapping[str, vql.Target] = {}
HIDDEN = "—"
"""The text in place of a value that the reader may not read."""

_TOKEN = re.compile(r"\$\{([^{}]*)\}")
_PATH = re.compile(r"[a-z0-9_]+(?:\.[a-z0-9_]+)*")


def token_paths(text: str) -> tuple[str, ...]:
    """Return the fields that a template names, each once: ``name__v``, or ``owner__cr.name__v`` of another record.

    :raises ComponentError: INVALID_ATTRIBUTE for a token that is not closed, or that names no field.
    """
    tokens = _TOKEN.findall(text)
    paths = [token.strip() for token in tokens]
    # An opening without a token is one that is not closed.
    all_closed = text.count("${") == len(paths)
    if not all_closed or not all(_PATH.fullmatch(path) for path in paths):
        message = "a token is written ${field} or ${relationship.field}"
        raise ComponentError(message)
    return tuple(dict.fromkeys(paths))


def values_query(
    paths: Collection[str],
    object_name: str,
    registry: Registry,
    ids: Sequence[str],
    targets: Mapping[str, vql.Target] = NO_TARGETS,
) -> vql.CompiledQuery:
    """Return the query for these fields of the records; its first column is the id.

    ``targets`` has ``documents`` where the records are documents.

    :raises VqlError: if the object, or an object that it refers to, does not have one of the fields.
    """
    # A template may name the id as well, and a query names each field once.
    columns = dict.fromkeys(["id", *paths])
    selected = ", ".join(columns)
    listed = _literals(object_name, ids)
    text = f"SELECT {selected} FROM {object_name} WHERE id CONTAINS ({listed})"
    return vql.compile_query(vql.parse(text), registry, _everything, targets=targets)


def readable_paths(
    paths: Collection[str],
    object_name: str,
    registry: Registry,
    readable: vql.Readable,
    targets: Mapping[str, vql.Target] = NO_TARGETS,
) -> frozenset[str]:
    """Return those of the fields whose paths lead through readable objects only; ``readable`` decides for each object.

    :raises VqlError: if the object, or an object that it refers to, does not have one of the fields.
    """
    shown: set[str] = set()
    for path in paths:
        query = vql.parse(f"SELECT {path} FROM {object_name}")
        try:
            vql.compile_query(query, registry, readable, targets=targets)
        except vql.VqlNameError as error:
            if error.type is not ErrorType.INSUFFICIENT_ACCESS:
                raise
        else:
            shown.add(path)
    return frozenset(shown)


def rendered(
    template: str,
    values: Mapping[str, str],
    shown: Collection[str],
) -> str:
    """Return the template with each token replaced by its field's value, or by a dash if the field is not ``shown``.

    Tokens within values are not replaced.
    """

    def text(match: re.Match[str]) -> str:
        path = match[1].strip()
        return values[path] if path in shown else HIDDEN

    return _TOKEN.sub(text, template)


def value_text(value: object) -> str:
    """Return a field's value as text for readers; an empty string for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M UTC")
    if isinstance(value, list | tuple):
        texts = [value_text(item) for item in value]
        return ", ".join(texts)
    return str(value)


def check_entry_criteria(registry: Registry) -> None:
    """Check every entry criterion against the fields of every object whose records have its lifecycle.

    :raises ComponentError: INVALID_ATTRIBUTE at the first criterion that is not VQL, or names a missing field.
    """
    for vault_object in registry.objects.values():
        lifecycle = registry.lifecycles.get(vault_object.lifecycle or "")
        if lifecycle is None:
            continue
        for state in lifecycle.states.values():
            path = f"Objectlifecycle.{lifecycle.name}: {state.name}"
            _check_state_criteria(
                state,
                vault_object,
                registry,
                path,
            )


def check_criterion(
    criterion: EntryCriterion,
    object_name: str,
    registry: Registry,
    readable: vql.Readable | None = None,
) -> None:
    """Check one criterion against an object's fields and, with ``readable``, against the objects that a user may read.

    :raises VqlError: if it is not VQL, or names a missing field or an object that the user may not read.
    """
    for text in (criterion.condition, criterion.criteria):
        if text is not None:
            vql.check_criteria(
                vql.parse_criteria(text),
                object_name,
                registry,
                readable or _everything,
            )


def satisfied_query(
    criteria: str,
    object_name: str,
    registry: Registry,
    ids: Collection[str],
    targets: Mapping[str, vql.Target] = NO_TARGETS,
) -> vql.CompiledQuery:
    """Return the query for those of the records that meet the criteria; its one column is the id.

    :raises VqlError: if the criteria are not VQL, or name a missing field.
    """
    # In parentheses, for the criteria may have an OR.
    return _query_of("id", f" AND ({criteria})", object_name, registry, ids, targets)


def criteria_query(
    criteria: Collection[str],
    fields: Collection[str],
    object_name: str,
    registry: Registry,
    ids: Collection[str],
) -> vql.CompiledQuery:
    """Return the query for the values of fields of the records, and for whether each record meets each of the criteria.

    Its columns are the id, the fields without the id, and the criteria, each in the given order.

    :raises VqlError: if criteria are not VQL, or name a missing field; VqlLimitError if they are too much together.
    """
    columns = ", ".join(dict.fromkeys(["id", *fields]))
    return _query_of(columns, "", object_name, registry, ids, tested=tuple(criteria))


def _query_of(
    columns: str,
    conditions: str,
    object_name: str,
    registry: Registry,
    ids: Collection[str],
    targets: Mapping[str, vql.Target] = NO_TARGETS,
    tested: tuple[str, ...] = (),
) -> vql.CompiledQuery:
    """Return the query for columns of the records that meet further conditions.

    :raises VqlError: if columns or conditions are not VQL, or name a missing field.
    """
    key = (columns, conditions, object_name, *tested)
    known = registry.record_queries.get(key)
    if known is None:
        listed = _literals(object_name, ids)
        text = f"SELECT {columns} FROM {object_name} WHERE id CONTAINS ({listed}){conditions}"
        expressions = [vql.parse_criteria(each).expression for each in tested]
        query = replace(vql.parse(text), tested=tuple(expressions))
        compiled = vql.compile_query(query, registry, _everything, targets=targets)
        # Those of documents are compiled with more than the registry, and their ids are numbers.
        if targets or object_name == DOCUMENTS:
            return compiled
        registry.record_queries[key] = compiled
        return compiled
    # Compiled once for all records: the ids, the first parameter, are put in afterwards.
    _, *others = known.parameters
    parameters = (list(ids), *others)
    return replace(known, parameters=parameters, matching_parameters=parameters)


def _check_state_criteria(
    state: LifecycleState,
    vault_object: VaultObject,
    registry: Registry,
    path: str,
) -> None:
    for criterion in state.entry_criteria:
        try:
            check_criterion(criterion, vault_object.name, registry)
        except vql.VqlError as error:
            where = f"{path}: {criterion.name}: for Object.{vault_object.name}"
            raise ComponentError(f"{where}: {error}") from error


def _literals(object_name: str, ids: Collection[str]) -> str:
    """Return ids as VQL literals, separated by commas: numbers for documents, else strings."""
    if object_name == DOCUMENTS:
        return ", ".join(str(int(identifier)) for identifier in ids)
    literals = []
    for identifier in ids:
        escaped = identifier.replace("\\", "\\\\").replace("'", "\\'")
        literals.append(f"'{escaped}'")
    return ", ".join(literals)


def _everything(_object_name: str) -> bool:
    """Return True, for every object: criteria and templates are configuration, which may name any object."""
    return True
