"""Nobody gives permissions that they do not hold: what a change of permission sets and profiles takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.vault.access.permission_sets import SecurityProfile
from shared.vault.access.permissions import holds_all_of
from shared.vault.access.profiles import permission_set_of, profile_of
from shared.vault.components.component_errors import Code, ComponentError
from shared.vault.components.permission_types import PERMISSION_SET, PROFILE

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.access.profiles import Components
    from shared.vault.components.component_tree import Component
    from shared.vault.components.evolution import Step


def check_change(caller: Caller, step: Step) -> None:
    """Refuse to make, change or drop what allows more than the caller may do, before or after it.

    :raises ComponentError: of the code INSUFFICIENT_ACCESS.
    """
    for key, component in step.changes.items():
        for state, registry in (
            (step.before.components.get(key), step.before),
            (component, step.after),
        ):
            if state is not None and not holds_all_of(
                caller, _made(state, registry.components)
            ):
                message = f"{state.full_name} allows more than the user's own security profile does."
                raise ComponentError(message, Code.NOT_PERMITTED)


def _made(component: Component, components: Components) -> SecurityProfile:
    """What a component allows, active or not: it may become so."""
    if component.type == PROFILE:
        return profile_of(component, components)
    sets = (permission_set_of(component),) if component.type == PERMISSION_SET else ()
    return SecurityProfile(component.name, sets)
