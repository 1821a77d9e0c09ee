"""Checks that a caller who changes components may read the data that the change would reveal.

An entry criterion reveals values of the fields that it names. When an object is renamed or dropped, another object may
take its name, and thereby show the audit trails of the earlier object's records.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault import vql
from shared.vault.access.permissions import may, readable
from shared.vault.components.component_errors import Code, ComponentError
from shared.vault.components.component_kinds import ComponentKind
from shared.vault.components.configured_queries import check_criterion
from shared.vault.components.permission_types import Operation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.vault.access.caller import Caller
    from shared.vault.components.evolution import Step
    from shared.vault.components.registry import Registry
    from shared.vault.model.component_model import EntryCriterion


def check_reach(caller: Caller, step: Step) -> None:
    """Check one step of a statement against the caller's right to read.

    :raises ComponentError: NOT_PERMITTED, when a new criterion names what the caller may not read, or an object is
        renamed or dropped that the caller may not read.
    """
    renaming = step.renaming
    if renaming is not None:
        if renaming.type == ComponentKind.OBJECT and not renaming.subtype:
            _require_read(caller, renaming.name)
        return
    for (kind, name), component in step.changes.items():
        if kind == ComponentKind.OBJECT and component is None:
            _require_read(caller, name)
    known = set(_criteria(step.before))
    for object_name, criterion in _criteria(step.after):
        if (object_name, criterion) not in known:
            _check_criterion(caller, object_name, criterion, step.after)


def _criteria(registry: Registry) -> Iterator[tuple[str, EntryCriterion]]:
    """Yield each entry criterion of the states of objects, as (name of the object, criterion)."""
    for vault_object in registry.objects.values():
        lifecycle = registry.lifecycles.get(vault_object.lifecycle or "")
        states = lifecycle.states.values() if lifecycle else ()
        for state in states:
            for criterion in state.entry_criteria:
                yield vault_object.name, criterion


def _check_criterion(
    caller: Caller,
    object_name: str,
    criterion: EntryCriterion,
    registry: Registry,
) -> None:
    try:
        check_criterion(criterion, object_name, registry, readable(caller))
    except vql.VqlError as error:
        # All other errors of the condition were found before.
        if error.type is not ErrorType.INSUFFICIENT_ACCESS:
            raise
        message = (
            f"Entry criterion {criterion.name} for Object.{object_name} uses data that the user may not read, "
            "and would reveal it."
        )
        raise ComponentError(message, Code.NOT_PERMITTED) from error


def _require_read(caller: Caller, object_name: str) -> None:
    """Check that the caller may read an object whose name becomes free: its trails and jobs are found by that name.

    :raises ComponentError: NOT_PERMITTED.
    """
    if not may(caller, object_name, Operation.READ):
        message = f"Object.{object_name} is renamed or dropped only by users who may read its records."
        raise ComponentError(message, Code.NOT_PERMITTED)
