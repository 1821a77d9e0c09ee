"""The users of audit entries, and the objects without entries."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.vault.access.caller import (
    BUSINESS_USER,
    SUPPLIED,
    SYSTEM_ADMIN,
    Caller,
    PermissionSet,
    SecurityProfile,
)
from shared.vault.access.permissions import (
    Grant,
    Operation,
    granted,
    may,
    readable,
)
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


READ = frozenset({Operation.READ})


@pytest.mark.parametrize(
    ("grants", "objects", "expected"),
    [
        (set(), {"documents": READ}, set()),
        ({Grant.READ_AUDIT}, {}, {"object", "domain", "login"}),
        (
            {Grant.READ_AUDIT},
            {"documents": READ},
            {"object", "domain", "login", "document"},
        ),
        (
            {Grant.READ_AUDIT, Grant.READ_CONFIGURATION},
            {},
            {"object", "domain", "login", "system"},
        ),
    ],
)
def test_a_trail_takes_sight_of_what_it_tells_of(
    grants: set[Grant], objects: dict[str, frozenset[Operation]], expected: set[str]
) -> None:
    profile = SecurityProfile("own__c", (PermissionSet(frozenset(grants), objects),))
    own = caller(profile)
    assert {
        t.key for t in TRAILS.values() if may(own, t.name, Operation.READ)
    } == expected
    # A remote Vault that may write nothing reads none of them, by queries neither.
    remote = replace(own, connection_id="V0B1", read_only=True)
    assert not any(readable(remote)(name) for name in TRAILS)
