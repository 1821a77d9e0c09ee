"""Describes the caller: a user, and the permissions of the user's security profile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import assert_never

from shared.vault.components.permission_types import (
    ALL_OBJECTS,
    BUSINESS_OBJECTS,
    Grant,
    Operation,
)
from shared.vault.components.platform import SECURITY_PROFILES
from shared.vault.components.registry import is_business

ALL = frozenset(Operation)
WRITE = frozenset({Operation.READ, Operation.CREATE, Operation.EDIT})
READ = frozenset({Operation.READ})
NONE: frozenset[Operation] = frozenset()


def implied(grant: Grant) -> frozenset[Grant]:
    """Return the grants that ``grant`` includes, because it is useless without them."""
    match grant:
        case Grant.EXECUTE_MDL | Grant.MANAGE_INTEGRATIONS:
            return frozenset({Grant.READ_CONFIGURATION})
        case Grant.MANAGE_QUEUES:
            return frozenset({Grant.READ_QUEUES, Grant.READ_CONFIGURATION})
        case Grant.MANAGE_STAGING:
            return frozenset({Grant.USE_STAGING})
        case (
            Grant.READ_CONFIGURATION
            | Grant.READ_QUEUES
            | Grant.REPORT_DELIVERIES
            | Grant.READ_QUEUE_LOG
            | Grant.MANAGE_CONNECTIONS
            | Grant.OPEN_CONNECTION_SESSIONS
            | Grant.SIGN_MESSAGES
            | Grant.MANAGE_JOBS
            | Grant.USE_STAGING
            | Grant.USE_LOADER
            | Grant.MANAGE_PACKAGES
            | Grant.READ_AUDIT
            | Grant.RECORD_MIGRATION
            | Grant.DOCUMENT_MIGRATION
            | Grant.COPY_RECORDS
            | Grant.REQUEST_RUNS
            | Grant.LOOK_UP_ACCOUNTS
            | Grant.REHEARSE_FAULTS
            | Grant.MANAGE_WORKFLOWS
            | Grant.READ_DIRECT_DATA
            | Grant.SHARE_VIEWS
        ):
            return frozenset()
        case _:
            assert_never(grant)


@dataclass(frozen=True, slots=True)
class PermissionSet:
    """Grants, and the permitted operations by object; BUSINESS_OBJECTS and ALL_OBJECTS stand for many objects."""

    grants: frozenset[Grant] = frozenset()
    objects: Mapping[str, frozenset[Operation]] = field(default_factory=dict)

    def operations(self, object_name: str) -> frozenset[Operation]:
        """Return the operations that the set allows on an object, by the most specific entry for it."""
        objects = self.objects
        if object_name in objects:
            return objects[object_name]
        if BUSINESS_OBJECTS in objects and is_business(object_name):
            return objects[BUSINESS_OBJECTS]
        return objects.get(ALL_OBJECTS, NONE)


# Compared by identity: each version of the components makes profiles of its own, and what is compiled for one is
# not found for another of the same name.
@dataclass(frozen=True, slots=True, eq=False)
class SecurityProfile:
    """A security profile: it allows what any of its permission sets allows."""

    name: str
    sets: tuple[PermissionSet, ...] = ()
    grants: frozenset[Grant] = field(init=False)

    def __post_init__(self) -> None:
        """Gather the grants of all sets, and the grants that those include."""
        grants: set[Grant] = set()
        for permissions in self.sets:
            grants |= permissions.grants
        for grant in tuple(grants):
            grants |= implied(grant)
        object.__setattr__(self, "grants", frozenset(grants))

    def operations(self, object_name: str) -> frozenset[Operation]:
        """Return the operations on an object that any of the sets allows."""
        together = NONE
        for permissions in self.sets:
            together |= permissions.operations(object_name)
        return together


# Their names, in the order of the picklist.
_SYSTEM_ADMIN, _INTEGRATION_USER, _BUSINESS_USER = SECURITY_PROFILES.entries

SYSTEM_ADMIN = SecurityProfile(
    _SYSTEM_ADMIN, (PermissionSet(frozenset(Grant), {ALL_OBJECTS: ALL}),)
)
_INTEGRATION_GRANTS = frozenset(
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
)
# A connector writes business data and the exceptions that it reports, and of the rest it only reads.
_INTEGRATION_OBJECTS = {
    ALL_OBJECTS: READ,
    BUSINESS_OBJECTS: WRITE,
    "exception_message__sys": WRITE,
    "exception_item__sys": WRITE,
}
INTEGRATION_USER = SecurityProfile(
    _INTEGRATION_USER, (PermissionSet(_INTEGRATION_GRANTS, _INTEGRATION_OBJECTS),)
)
# Agreements of countries, and settings of connections, are administrators' to write.
_BUSINESS_USER_OBJECTS = {
    BUSINESS_OBJECTS: WRITE,
    "country__v": READ,
    "connection_country__v": READ,
    "connection_settings__v": READ,
    "crm_org__v": READ,
}
BUSINESS_USER = SecurityProfile(
    _BUSINESS_USER,
    (PermissionSet(frozenset({Grant.LOOK_UP_ACCOUNTS}), _BUSINESS_USER_OBJECTS),),
)

SUPPLIED: Mapping[str, SecurityProfile] = {
    profile.name: profile for profile in (SYSTEM_ADMIN, INTEGRATION_USER, BUSINESS_USER)
}
"""The security profiles that every Vault has; each has one permission set, of the same name."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A user with a live session or an access token.

    ``profile`` is the security profile as it was when the call began. ``session_id`` is None for the Vault itself, and
    for an access token. ``delegate_user_id`` is the user who has opened the session in this user's name; ``profile``
    is then limited to what a delegate may use. ``connection_id`` is the connection whose remote Vault uses the session;
    a ``read_only`` session writes nothing. ``revision`` is the revision of the Vault's configuration when the call
    began; the call reads no older configuration.
    """

    user_id: int
    username: str
    profile: SecurityProfile
    session_id: str | None = None
    delegate_user_id: int | None = None
    connection_id: str | None = None
    read_only: bool = False
    revision: str = ""


# The user also has a record, which nobody can change.
SYSTEM = Caller(user_id=1, username="System", profile=SYSTEM_ADMIN)
"""The Vault itself: first-start loading, entry actions."""


def on_behalf_of(caller: Caller) -> Caller:
    """Return the caller with the permissions of the Vault itself, for the further writes of a permitted call.

    The audit trail still names the caller.
    """
    return replace(caller, profile=SYSTEM_ADMIN)
