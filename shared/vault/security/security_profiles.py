"""Resolves the security profiles of a Vault, once for each version of its components."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from shared.vault.access.caller import SUPPLIED, SecurityProfile
from shared.vault.components.permission_types import PROFILE

if TYPE_CHECKING:
    from shared.vault.components.registry import Registry
    from shared.vault.configuration.component_service import ComponentService
from shared.vault.access.profiles import active_profiles, profile_of


class SecurityProfiles:
    """The security profiles of a Vault, resolved once for each version of its components."""

    def __init__(self, components: ComponentService) -> None:
        self._components = components
        self._registry: Registry | None = None
        self._resolved: Mapping[str, SecurityProfile] = {}

    def named(self, name: str) -> SecurityProfile:
        """Return the active profile of a name; an unknown one allows nothing."""
        registry = self._components.registry
        # Each version of the components makes profiles of its own.
        if registry is not self._registry:
            self._resolved = active_profiles(registry.components)
            self._registry = registry
        profile = self._resolved.get(name)
        if profile is None:
            return SecurityProfile(name)
        return profile

    def in_full(self, name: str) -> SecurityProfile:
        """Return what a profile would allow if it and all its sets were active.

        They may become so: who gives the profile to somebody gives all of that.
        """
        if name in SUPPLIED:
            return SUPPLIED[name]
        components = self._components.registry.components
        component = components.get((PROFILE, name))
        if component is None:
            return SecurityProfile(name)
        return profile_of(component, components)
