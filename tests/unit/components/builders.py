"""Registries and objects for tests, from MDL text."""

from __future__ import annotations

from shared.vault.components.evolution import after
from shared.vault.components.mdl import parse
from shared.vault.components.registry import Registry
from shared.vault.model.component_model import VaultObject


def run(text: str, registry: Registry | None = None) -> Registry:
    """The registry after the script, each statement on its own, as a Vault executes it."""
    registry = registry or Registry.build()
    for statement in parse(text):
        registry = after(statement, registry)
    return registry


def object_of(fields: str, *, attributes: str = "", context: str = "") -> VaultObject:
    """The object ``a__c`` with these fields."""
    head = f"label('A'), prefix('V0A'){attributes}"
    body = f"{head}, {fields}" if fields else head
    return run(f"{context} CREATE Object a__c ({body});").objects["a__c"]
