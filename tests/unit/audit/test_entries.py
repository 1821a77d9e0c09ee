"""Who is named on the audit trail, and which objects are left out of it."""

from __future__ import annotations

from shared.vault.access.caller import (
    BUSINESS_USER,
    SUPPLIED,
    SYSTEM_ADMIN,
    Caller,
    SecurityProfile,
)
from shared.vault.access.permissions import Grant, Operation, granted, may
from shared.vault.audit.audit_entries import author, is_audited
from shared.vault.audit.trails import TRAILS
from shared.vault.components.component_tree import Component
from shared.vault.components.registry import Registry


def caller(profile: SecurityProfile, delegate: int | None = None) -> Caller:
    return Caller(2, "someone@vault.example", profile, delegate_user_id=delegate)


def test_a_user_acts_in_their_own_name() -> None:
    assert author(caller(BUSINESS_USER)) == (2, "someone@vault.example", None)


def test_a_delegate_acts_on_behalf_of_the_user() -> None:
    assert author(caller(BUSINESS_USER, delegate=3)) == (3, None, 2)


def test_objects_are_audited_unless_they_say_otherwise() -> None:
    components = [
        Component("Object", name, {"label": ("X",), "prefix": (prefix,), **attributes})
        for name, prefix, attributes in (
            ("silent__c", "ZS1", {"audit": (False,)}),
            ("spoken__c", "ZS2", {"audit": (True,)}),
            ("plain__c", "ZS3", {}),
        )
    ]
    registry = Registry.build(components)
    assert [is_audited(registry, c.name) for c in components] == [False, True, True]


def test_only_administrators_read_the_trails() -> None:
    for profile in SUPPLIED.values():
        admin = profile is SYSTEM_ADMIN
        assert granted(caller(profile), Grant.READ_AUDIT) is admin
        assert all(
            may(caller(profile), name, Operation.READ) is admin for name in TRAILS
        )
        assert not any(may(caller(profile), name, Operation.DELETE) for name in TRAILS)
