"""Security profiles and permission sets tell what the table of permissions says."""

from __future__ import annotations

from shared.vault.components.registry import Registry
from shared.vault.components.tree import Component
from shared.vault.security.caller import SecurityProfile
from shared.vault.security.profiles import LABELS, security_components

REGISTRY = Registry.build(
    [Component("Object", "thing__c", {"label": ("Thing",), "prefix": ("ZTH",), "label_plural": ("Things",)})]
)


def test_every_profile_has_a_permission_set() -> None:
    components = {component.key: component for component in security_components(REGISTRY)}
    assert set(LABELS) == set(SecurityProfile)
    for profile in SecurityProfile:
        found = components["Securityprofile", profile]
        assert found.text("permission_sets") == f"Permissionset.{profile}"
        (thing,) = components["Permissionset", profile].children
        assert (thing.name, thing.flag("read")) == ("thing__c", True)
        assert thing.flag("delete") == (profile is SecurityProfile.SYSTEM_ADMIN)
    assert "execute_mdl" in components["Permissionset", SecurityProfile.SYSTEM_ADMIN].texts("permissions")
    assert components["Permissionset", SecurityProfile.BUSINESS_USER].texts("permissions") == ("look_up_accounts",)
