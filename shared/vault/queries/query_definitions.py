"""Definitions of components in VQL: ``vault_component__v`` with what each component is, as MDL and as JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from shared.vault import vql
from shared.vault.access.permissions import Grant, authorize
from shared.vault.components.description import configuration_json
from shared.vault.components.mdl import render
from shared.vault.model.component_model import Field, FieldType

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.components.registry import Registry

TARGET = "vault_component__v"
FIELDS = {
    "mdl_definition__v": "MDL Definition",
    "json_definition__v": "JSON Definition",
}


def wants_definitions(query: vql.Query) -> bool:
    """Whether a statement selects from the target and names a definition."""
    return query.select.source == TARGET and any(name in query.text for name in FIELDS)


def with_definitions(
    targets: vql.Targets, registry: Registry, caller: Caller
) -> vql.Targets:
    """The targets with the definitions; their rows are large, so that only statements that want them have them.

    :raises VaultFault: INSUFFICIENT_ACCESS, the caller may not read the configuration.
    """
    authorize(caller, Grant.READ_CONFIGURATION)
    target = targets[TARGET]
    rows = [
        {
            **row,
            "mdl_definition__v": render(component),
            "json_definition__v": json.dumps(
                configuration_json(component), ensure_ascii=False
            ),
        }
        for row, component in zip(
            json.loads(target.rows or "[]"), registry.components.values(), strict=True
        )
    ]
    fields = {
        name: Field(name, label, FieldType.STRING, editable=False)
        for name, label in FIELDS.items()
    }
    shown = replace(target.object, fields={**target.object.fields, **fields})
    return {**targets, TARGET: replace(target, object=shown, rows=json.dumps(rows))}
