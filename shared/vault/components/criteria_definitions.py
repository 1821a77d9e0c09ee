"""Entry criteria of lifecycle states: VQL conditions on the record that is about to enter."""

from __future__ import annotations

from collections.abc import Collection

from shared.vault import vql
from shared.vault.components.component_errors import ComponentError
from shared.vault.components.registry import Registry
from shared.vault.model.component_model import EntryCriterion

__all__ = ["check_criterion", "check_entry_criteria", "satisfied_query"]


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
    """The query for those of the records that the criterion holds of; its one column is the id.

    :raises VqlError: as ``check_criterion`` does.
    """
    named = ", ".join(
        "'" + identifier.replace("\\", "\\\\").replace("'", "\\'") + "'"
        for identifier in ids
    )
    text = f"SELECT id FROM {object_name} WHERE id CONTAINS ({named}) AND ({criterion.criteria})"
    return vql.compile_query(vql.parse(text), registry, _everything)


def _everything(_object_name: str) -> bool:
    """Criteria are the configuration's, not the caller's: they may look at any object."""
    return True
