"""Compiles TOLABEL: the label that people see for a name that a field holds."""

from __future__ import annotations

import json
from collections.abc import Mapping

from shared.vault.model.component_model import Field, FieldType, VaultObject
from shared.vault.vql.resolve import Scope, Statement
from shared.vault.vql.syntax_tree import Path

_OBJECT_TYPE = ("object_type__v", "object_type__vr")


def label_sql(scope: Scope, path: Path) -> tuple[str, Field, VaultObject]:
    """The label of a path's value as SQL, an array for multi-value picklists; raises VqlNameError.

    A value without a label, as that of a removed picklist entry, stands for itself.
    """
    name, relationship = _OBJECT_TYPE
    sql, field, owner = scope.column(path)
    if field.name == name:
        label, _, _ = scope.column(
            Path((*path.parts[:-1], relationship, "name__v"), path.at)
        )
        return label, field, owner
    labels = _labels(scope.statement, field, owner)
    if labels is None:
        message = f"field [{field.name}] of object [{owner.name}]: TOLABEL takes picklists, states and types"
        raise scope.statement.fault(message, path.at)
    return (
        _mapped(scope.statement, sql, labels, multi_value=field.multi_value),
        field,
        owner,
    )


def searched_labels(
    statement: Statement, sql: str, field: Field, owner: VaultObject
) -> str:
    """A picklist's labels as one text, for FIND."""
    labels = _labels(statement, field, owner) or {}
    found = _mapped(statement, sql, labels, multi_value=field.multi_value)
    return f"array_to_string({found}, ' ')" if field.multi_value else found


def _mapped(
    statement: Statement, sql: str, labels: Mapping[str, str], *, multi_value: bool
) -> str:
    holder = statement.bind(json.dumps(labels), "jsonb")
    if not multi_value:
        return f"coalesce({holder} ->> {sql}, {sql})"
    each = f"SELECT coalesce({holder} ->> v, v) FROM unnest({sql}) WITH ORDINALITY AS u(v, n) ORDER BY n"
    return f"CASE WHEN {sql} IS NULL THEN NULL ELSE ARRAY({each}) END"


def _labels(
    statement: Statement, field: Field, owner: VaultObject
) -> Mapping[str, str] | None:
    registry, target = statement.registry, statement.targets.get(owner.name)
    if target is not None and field.name in target.labels:
        return target.labels[field.name]
    if field.type is FieldType.PICKLIST:
        picklist = registry.picklists.get(field.picklist or "")
        return (
            {}
            if picklist is None
            else {e.name: e.label for e in picklist.entries.values()}
        )
    if field.name == "lifecycle__v":
        return {
            lifecycle.name: lifecycle.label
            for lifecycle in registry.lifecycles.values()
        }
    if field.name == "state__v":
        lifecycle = registry.lifecycles.get(owner.lifecycle or "")
        return (
            {}
            if lifecycle is None
            else {state.name: state.label for state in lifecycle.states.values()}
        )
    return None
