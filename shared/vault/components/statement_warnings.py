"""Finds likely mistakes in the component that results from a statement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.vault.components.component_kinds import ComponentKind
from shared.vault.components.ignored_attributes import ignored_attribute_warnings
from shared.vault.components.rule_warnings import rule_warnings
from shared.vault.components.workflow_definitions import read_workflow

if TYPE_CHECKING:
    from shared.vault.components.registry import Registry
    from shared.vault.components.statement import Statement


def statement_warnings(statement: Statement, registry: Registry) -> list[str]:
    """Return a warning for each likely mistake; ``registry`` has the components after the statement."""
    component = registry.components.get(statement.key)
    if component is None:
        return []
    found = ignored_attribute_warnings(component)
    if component.type == ComponentKind.INTEGRATION_RULE:
        found += rule_warnings(component, registry)
    if component.type == ComponentKind.WORKFLOW:
        problems = read_workflow(component).problems()
        found += [
            f"{component.full_name}: stored, but cannot be started here: {each}."
            for each in problems
        ]
    return found
