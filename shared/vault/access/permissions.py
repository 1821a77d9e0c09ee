"""The one place that decides what callers may do, by what their security profile holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.caller import ALL, NONE, READ
from shared.vault.components.permission_types import (
    ALL_OBJECTS,
    BUSINESS_OBJECTS,
    Grant,
    Operation,
)
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller, SecurityProfile

__all__ = [
    "Grant",
    "Operation",
    "allowed",
    "authorize",
    "authorize_components",
    "authorize_copying",
    "authorize_own",
    "connects",
    "granted",
    "holds_all_of",
    "in_person",
    "may",
    "may_change",
    "readable",
    "require",
    "require_all_of",
    "require_own",
]

_GOVERNED: Mapping[str, Mapping[Grant, frozenset[Operation]]] = {
    "connection__sys": {Grant.MANAGE_CONNECTIONS: ALL, Grant.MANAGE_INTEGRATIONS: READ},
    "integration__sys": {
        Grant.MANAGE_CONNECTIONS: READ,
        Grant.MANAGE_INTEGRATIONS: ALL,
    },
    "integration_point__sys": {
        Grant.MANAGE_CONNECTIONS: READ,
        Grant.MANAGE_INTEGRATIONS: ALL,
    },
    "reference_lookup__sys": {
        Grant.MANAGE_CONNECTIONS: ALL,
        Grant.MANAGE_INTEGRATIONS: ALL,
    },
}
"""Objects whose records are written with a grant, and never without one; object permissions let them be read."""

_TRAILS = frozenset(
    {
        "document_audit_trail",
        "object_audit_trail",
        "system_audit_trail",
        "domain_audit_trail",
        "login_audit_trail",
    }
)
"""Query targets that take the grant READ_AUDIT, whatever is said of objects."""

_COMPONENTS: Mapping[str, Grant] = {
    "Integrationrule": Grant.MANAGE_INTEGRATIONS,
    "Queue": Grant.MANAGE_QUEUES,
}
"""Component types that take a grant of their own to be changed, in place of EXECUTE_MDL."""

_READING = frozenset({Grant.READ_CONFIGURATION, Grant.READ_QUEUES})
"""What a session that may write nothing keeps of its profile's grants."""

_NEVER_REMOTE = frozenset({Grant.EXECUTE_MDL})
"""What no remote Vault may do, whatever the user in whose name it works has become since."""

_REFUSAL = "User does not have sufficient privileges to perform the action"


def allowed(profile: SecurityProfile, object_name: str) -> frozenset[Operation]:
    """What a profile lets its users do with the records of an object."""
    if object_name in _TRAILS:
        return READ if Grant.READ_AUDIT in profile.grants else NONE
    held = profile.operations(object_name)
    if object_name in _GOVERNED:
        by_grant = (
            operations
            for grant, operations in _GOVERNED[object_name].items()
            if grant in profile.grants
        )
        held = (held & READ).union(*by_grant)
    return held


def may(caller: Caller, object_name: str, operation: Operation) -> bool:
    """Whether the caller may do this with the records of an object."""
    if caller.read_only and operation is not Operation.READ:
        return False
    return operation in allowed(caller.profile, object_name)


def readable(caller: Caller) -> Callable[[str], bool]:
    """Which objects the caller may read, as a predicate on object names."""
    return lambda object_name: Operation.READ in allowed(caller.profile, object_name)


def require(caller: Caller, object_name: str, operation: Operation) -> None:
    """Refuse a caller who may not do this with the records of an object.

    :raises VaultFault: INSUFFICIENT_ACCESS.
    """
    if not may(caller, object_name, operation):
        raise VaultFault(
            ErrorType.INSUFFICIENT_ACCESS,
            f"{_REFUSAL} [{operation}] on [{object_name[:100]}]",
        )


def granted(caller: Caller, grant: Grant) -> bool:
    """Whether the caller's profile holds the grant, and the session does not take it away."""
    if caller.connection_id is not None and grant in _NEVER_REMOTE:
        return False
    return grant in caller.profile.grants and (
        grant in _READING or not caller.read_only
    )


def connects(caller: Caller) -> bool:
    """Whether this is a connection's user: one who copies records as a connection does, and configures nothing."""
    grants = caller.profile.grants
    return Grant.COPY_RECORDS in grants and Grant.EXECUTE_MDL not in grants


def authorize(caller: Caller, grant: Grant) -> None:
    """Refuse a caller whose profile does not hold the grant.

    :raises VaultFault: INSUFFICIENT_ACCESS.
    """
    if not granted(caller, grant):
        raise VaultFault(ErrorType.INSUFFICIENT_ACCESS, f"{_REFUSAL} [{grant}]")


def authorize_copying(caller: Caller) -> None:
    """Refuse a caller who copies no records: no remote Vault that may write, and no holder of the grant.

    :raises VaultFault: INSUFFICIENT_ACCESS.
    """
    if caller.connection_id is None or caller.read_only:
        authorize(caller, Grant.COPY_RECORDS)


def authorize_components(caller: Caller, types: Iterable[str] | None = None) -> None:
    """Refuse a caller who may not change components of each of the types; None asks whether of any type at all.

    :raises VaultFault: INSUFFICIENT_ACCESS.
    """
    if types is None:
        if not any(granted(caller, grant) for grant in _COMPONENTS.values()):
            authorize(caller, Grant.EXECUTE_MDL)
        return
    for name in types:
        authorize(caller, _COMPONENTS.get(name, Grant.EXECUTE_MDL))


def may_change(caller: Caller, component_type: str) -> bool:
    """Whether the caller may change components of the type."""
    return granted(caller, _COMPONENTS.get(component_type, Grant.EXECUTE_MDL))


def holds_all_of(caller: Caller, profile: SecurityProfile) -> bool:
    """Whether the caller may do whatever a profile allows."""
    own, named = caller.profile, {ALL_OBJECTS, BUSINESS_OBJECTS}
    for permissions in (*own.sets, *profile.sets):
        named.update(permissions.objects)
    return profile.grants <= own.grants and all(
        allowed(profile, name) <= allowed(own, name) for name in named
    )


def require_all_of(caller: Caller, profile: SecurityProfile) -> None:
    """Refuse a caller who would give to others, or use of others, what they may not do themselves.

    :raises VaultFault: INSUFFICIENT_ACCESS.
    """
    if not holds_all_of(caller, profile):
        message = f"{_REFUSAL} with security profile [{profile.name[:100]}], which allows more than their own"
        raise VaultFault(ErrorType.INSUFFICIENT_ACCESS, message)


def authorize_own(caller: Caller, owner: int, grant: Grant) -> None:
    """Refuse a caller to whom a thing does not belong, and whose profile does not hold the grant for those of others.

    :raises VaultFault: INSUFFICIENT_ACCESS.
    """
    if caller.user_id != owner:
        authorize(caller, grant)


def require_own(
    caller: Caller, owner: int, object_name: str, operation: Operation
) -> None:
    """Refuse a caller to whom a thing does not belong, and who may not do this with those of others.

    :raises VaultFault: INSUFFICIENT_ACCESS.
    """
    if caller.user_id != owner:
        require(caller, object_name, operation)


def in_person(caller: Caller) -> None:
    """Refuse a delegate or a remote Vault what only the user may do: sign-ins, tokens and delegations of theirs.

    :raises VaultFault: INSUFFICIENT_ACCESS.
    """
    if caller.delegate_user_id is not None:
        raise VaultFault(
            ErrorType.INSUFFICIENT_ACCESS, f"{_REFUSAL} in a delegated session"
        )
    if caller.connection_id is not None:
        raise VaultFault(
            ErrorType.INSUFFICIENT_ACCESS, f"{_REFUSAL} in a connection's session"
        )
