"""Fields that the Vault sets itself, but for a record in migration mode: who, when, and the lifecycle state."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from shared.vault.components.platform import AUDIT
from shared.vault.model.component_model import VaultObject, state_type_name
from shared.vault.records.field_values import InvalidValue, coercion

if TYPE_CHECKING:
    from shared.vault.components.registry import Registry

STATE = "state__v"
STATE_LABEL = "state_label"
STATE_LABEL_PREFIX = "base:object_lifecycle:"
INITIAL = "initial_state__sys"
AUDIT_NAMES = frozenset(field.name for field in AUDIT)

Conversion = Callable[[object], object]


def migrated_field(
    name: str, target: VaultObject, registry: Registry
) -> tuple[str, Conversion] | None:
    """The field that a key sets in migration mode only, and its conversion; None for every other key.

    The conversion raises InvalidValue, and returns None where the Vault is to set the field itself.
    """
    if name in AUDIT_NAMES:
        return name, coercion(target.fields[name], registry)
    if target.lifecycle and name == STATE:
        return STATE, lambda value: _state(target, registry, value)
    if target.lifecycle and name == STATE_LABEL:
        return STATE, lambda value: _state_of_type(target, registry, value)
    return None


def _state(target: VaultObject, registry: Registry, value: object) -> str | None:
    name = value[0] if isinstance(value, list) and len(value) == 1 else value
    if name is None or name == "":
        return None
    states = registry.lifecycles[target.lifecycle or ""].states
    if not isinstance(name, str) or name not in states or not states[name].active:
        raise InvalidValue(
            f"Field [{STATE}] takes a state of lifecycle [{target.lifecycle}]"
        )
    return name


def _state_of_type(
    target: VaultObject, registry: Registry, value: object
) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not value.startswith(STATE_LABEL_PREFIX):
        raise InvalidValue(f"[{STATE_LABEL}] takes {STATE_LABEL_PREFIX}{{state type}}")
    wanted = state_type_name(value)
    lifecycle = registry.lifecycles[target.lifecycle or ""]
    for state in lifecycle.states.values():
        if state.active and state.state_type == wanted:
            return state.name
    if wanted == INITIAL:
        return lifecycle.starting_state
    raise InvalidValue(f"Lifecycle [{target.lifecycle}] has no state of this type")
