"""Who is calling: the signed-in user that every permission check is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from shared.vault.components.permission_types import (
    ALL_OBJECTS,
    BUSINESS_OBJECTS,
    Grant,
    Operation,
)
from shared.vault.components.platform import SECURITY_PROFILES

ALL = frozenset(Operation)


WRITE = frozenset({Operation.READ, Operation.CREATE, Operation.EDIT})


READ = frozenset({Operation.READ})


NONE: frozenset[Operation] = frozenset()


IMPLIED: Mapping[Grant, frozenset[Grant]] = {
    Grant.EXECUTE_MDL: frozenset({Grant.READ_CONFIGURATION}),
    Grant.MANAGE_INTEGRATIONS: frozenset({Grant.READ_CONFIGURATION}),
    Grant.MANAGE_QUEUES: frozenset({Grant.READ_QUEUES, Grant.READ_CONFIGURATION}),
    Grant.MANAGE_STAGING: frozenset({Grant.USE_STAGING}),
}
"""What a grant is of no use without comes with it."""


_BUSINESS = frozenset({"person__sys", BUSINESS_OBJECTS})


_PLATFORM = frozenset(
    {
        "users",
        "groups",
        "vault_package__v",
        "outbound_package__v",
        "package_component__v",
        "vault_component__v",
    }
)


def is_business(object_name: str) -> bool:
    """Whether an object is not the platform's, which end in ``__sys``; a person is business data all the same."""
    return object_name in _BUSINESS or not (
        object_name.endswith("__sys") or object_name in _PLATFORM
    )


@dataclass(frozen=True, slots=True)
class PermissionSet:
    """Grants, and operations by object or by one of the names that stand for many."""

    grants: frozenset[Grant] = frozenset()
    objects: Mapping[str, frozenset[Operation]] = field(default_factory=dict)

    def operations(self, object_name: str) -> frozenset[Operation]:
        """What the set allows on an object: by the entry that is closest to it."""
        if object_name in self.objects:
            return self.objects[object_name]
        if is_business(object_name) and BUSINESS_OBJECTS in self.objects:
            return self.objects[BUSINESS_OBJECTS]
        return self.objects.get(ALL_OBJECTS, NONE)


@dataclass(frozen=True, slots=True, eq=False)
class SecurityProfile:
    """A security profile: what any of its sets allows, it allows. Each reading of the components makes another one."""

    name: str
    sets: tuple[PermissionSet, ...] = ()
    grants: frozenset[Grant] = field(init=False)

    def __post_init__(self) -> None:
        """Gather the grants of all sets, and what they imply."""
        held = frozenset[Grant]().union(
            *(permissions.grants for permissions in self.sets)
        )
        implied = frozenset[Grant]().union(
            *(IMPLIED.get(grant, frozenset()) for grant in held)
        )
        object.__setattr__(self, "grants", held | implied)

    def operations(self, object_name: str) -> frozenset[Operation]:
        """What the sets allow on an object together."""
        return NONE.union(
            *(permissions.operations(object_name) for permissions in self.sets)
        )


_SYSTEM_ADMIN, _INTEGRATION_USER, _BUSINESS_USER = SECURITY_PROFILES.entries


SYSTEM_ADMIN = SecurityProfile(
    _SYSTEM_ADMIN, (PermissionSet(frozenset(Grant), {ALL_OBJECTS: ALL}),)
)


INTEGRATION_USER = SecurityProfile(
    _INTEGRATION_USER,
    (
        PermissionSet(
            frozenset(
                {
                    Grant.READ_CONFIGURATION,
                    Grant.READ_QUEUES,
                    Grant.REPORT_DELIVERIES,
                    Grant.OPEN_CONNECTION_SESSIONS,
                    Grant.SIGN_MESSAGES,
                    Grant.USE_STAGING,
                    Grant.USE_LOADER,
                    Grant.COPY_RECORDS,
                }
            ),
            {
                ALL_OBJECTS: READ,
                BUSINESS_OBJECTS: WRITE,
                "exception_message__sys": WRITE,
                "exception_item__sys": WRITE,
            },
        ),
    ),
)


BUSINESS_USER = SecurityProfile(
    _BUSINESS_USER,
    (PermissionSet(frozenset({Grant.LOOK_UP_ACCOUNTS}), {BUSINESS_OBJECTS: WRITE}),),
)


SUPPLIED: Mapping[str, SecurityProfile] = {
    profile.name: profile for profile in (SYSTEM_ADMIN, INTEGRATION_USER, BUSINESS_USER)
}
"""The security profiles that every Vault has; each has one permission set, of the same name."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A user with a live session or an access token.

    ``profile`` is the security profile as it was when the call began. ``session_id`` is None for the Vault acting by
    itself, and for an access token. ``delegate_user_id`` is the user who has opened the session in this user's name.
    ``connection_id`` is the connection whose remote Vault works in the session; ``read_only`` says that it may write
    nothing.
    """

    user_id: int
    username: str
    profile: SecurityProfile
    session_id: str | None = None
    delegate_user_id: int | None = None
    connection_id: str | None = None
    read_only: bool = False


SYSTEM = Caller(user_id=1, username="System", profile=SYSTEM_ADMIN)
"""The Vault itself: first-start loading, entry actions."""


def on_behalf_of(caller: Caller) -> Caller:
    """The Vault acting for a caller who may do just this: everything is permitted, and theirs on record."""
    return replace(caller, profile=SYSTEM_ADMIN)
