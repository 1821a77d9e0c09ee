"""Decides what callers may do, by their security profiles; no other module decides it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, assert_never

from shared.protocol.error_types import ErrorType
from shared.vault.access.caller import ALL, NONE, READ
from shared.vault.components.component_kinds import ComponentKind
from shared.vault.components.permission_types import (
    ALL_OBJECTS,
    BUSINESS_OBJECTS,
    Grant,
    Operation,
)
from shared.vault.components.registry import is_tie, is_written_by_connections
from shared.vault.components.workflow_types import WORKFLOW_TARGETS
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller, SecurityProfile
    from shared.vault.model.component_model import Field

__all__ = [
    "AuditTrail",
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
    "may_set",
    "profile_reads",
    "readable",
    "require",
    "require_all_of",
    "require_own",
    "writes_for_connection",
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


class AuditTrail(StrEnum):
    """The audit trails, by their names in the API and in queries.

    As query targets they need the grant READ_AUDIT, and the right to read the objects whose values they show.
    """

    DOCUMENT = "document_audit_trail"
    OBJECT = "object_audit_trail"
    SYSTEM = "system_audit_trail"  # of the configuration
    DOMAIN = "domain_audit_trail"  # of users' access
    LOGIN = "login_audit_trail"

    @property
    def key(self) -> str:
        """Return the trail's value in the table of entries."""
        return self.removesuffix("_audit_trail")


_TRAILS = frozenset(AuditTrail)
_DOCUMENTS = "documents"

_COMPONENTS: Mapping[str, Grant] = {
    ComponentKind.INTEGRATION_RULE: Grant.MANAGE_INTEGRATIONS,
    ComponentKind.QUEUE: Grant.MANAGE_QUEUES,
}
"""Component types that take a grant of their own to be changed, in place of EXECUTE_MDL."""

REFUSAL = "User does not have sufficient privileges to perform the action"


def allowed(profile: SecurityProfile, object_name: str) -> frozenset[Operation]:
    """Return the operations that a profile allows on the records of an object."""
    if object_name in _TRAILS:
        trail = AuditTrail(object_name)
        return READ if _may_read_trail(profile, trail) else NONE
    # Each row is shown to those who may read the object that it is about.
    if object_name in WORKFLOW_TARGETS:
        return READ
    operations = profile.operations(object_name)
    if object_name not in _GOVERNED:
        return operations
    # Object permissions alone never write what a connection or an integration is made of.
    operations &= READ
    for grant, by_grant in _GOVERNED[object_name].items():
        if grant in profile.grants:
            operations |= by_grant
    return operations


def _may_read_trail(profile: SecurityProfile, trail: AuditTrail) -> bool:
    """Return whether a profile may read the trail, and the values that its entries show."""
    if Grant.READ_AUDIT not in profile.grants:
        return False
    match trail:
        case AuditTrail.DOCUMENT:
            return Operation.READ in profile.operations(_DOCUMENTS)
        case AuditTrail.SYSTEM:
            return Grant.READ_CONFIGURATION in profile.grants
        # Each entry of records is shown to those who may read its object.
        case AuditTrail.OBJECT | AuditTrail.DOMAIN | AuditTrail.LOGIN:
            return True
        case _:
            assert_never(trail)


def may(caller: Caller, object_name: str, operation: Operation) -> bool:
    """Return whether the caller may do the operation on the records of an object."""
    match operation:
        case Operation.CREATE | Operation.EDIT | Operation.DELETE:
            if caller.read_only:
                return False
        case Operation.READ:
            # The profile may have the permission, while the session excludes it.
            if object_name in _TRAILS and not granted(caller, Grant.READ_AUDIT):
                return False
        case _:
            assert_never(operation)
    return operation in allowed(caller.profile, object_name)


def readable(caller: Caller) -> Callable[[str], bool]:
    """Return a predicate on object names: whether the caller may read the object."""
    return lambda object_name: may(caller, object_name, Operation.READ)


def profile_reads(profile: SecurityProfile) -> Callable[[str], bool]:
    """Return a predicate on object names: whether users of the profile may read the object."""
    return lambda object_name: Operation.READ in allowed(profile, object_name)


def require(caller: Caller, object_name: str, operation: Operation) -> None:
    """Check that the caller may do the operation on the records of an object.

    :raises VaultFault: INSUFFICIENT_ACCESS when not.
    """
    if not may(caller, object_name, operation):
        message = (
            f"{REFUSAL} [{operation}] on [{object_name[:100]}]{in_what_session(caller)}"
        )
        raise VaultFault(ErrorType.INSUFFICIENT_ACCESS, message)


def in_what_session(caller: Caller) -> str:
    """Return the end of a refusal's text, which names a delegated or a connection's session; else an empty text."""
    if caller.delegate_user_id is not None:
        return " in a delegated session"
    if caller.connection_id is not None:
        return " in a connection's session"
    return ""


def granted(caller: Caller, grant: Grant) -> bool:
    """Return whether the caller's profile has the grant, and the session does not exclude it."""
    if caller.connection_id is not None and not _is_for_remotes(grant):
        return False
    if caller.read_only and not _reads_only(grant):
        return False
    return grant in caller.profile.grants


def _is_for_remotes(grant: Grant) -> bool:
    """Return whether a remote Vault may use a grant in its connection's session, whichever user the session has."""
    match grant:
        # A remote Vault reads and writes records, and reads how they are made.
        case Grant.READ_CONFIGURATION | Grant.READ_QUEUES | Grant.COPY_RECORDS:
            return True
        case (
            Grant.EXECUTE_MDL
            | Grant.MANAGE_QUEUES
            | Grant.REPORT_DELIVERIES
            | Grant.READ_QUEUE_LOG
            | Grant.MANAGE_CONNECTIONS
            | Grant.OPEN_CONNECTION_SESSIONS
            | Grant.SIGN_MESSAGES
            | Grant.MANAGE_JOBS
            | Grant.USE_STAGING
            | Grant.MANAGE_STAGING
            | Grant.USE_LOADER
            | Grant.MANAGE_PACKAGES
            | Grant.READ_AUDIT
            | Grant.RECORD_MIGRATION
            | Grant.DOCUMENT_MIGRATION
            | Grant.REQUEST_RUNS
            | Grant.MANAGE_INTEGRATIONS
            | Grant.LOOK_UP_ACCOUNTS
            | Grant.REHEARSE_FAULTS
            | Grant.MANAGE_WORKFLOWS
            | Grant.READ_DIRECT_DATA
            | Grant.SHARE_VIEWS
        ):
            return False
        case _:
            assert_never(grant)


def _reads_only(grant: Grant) -> bool:
    """Return whether a grant may be used in a read-only session."""
    match grant:
        case Grant.READ_CONFIGURATION | Grant.READ_QUEUES:
            return True
        case (
            Grant.EXECUTE_MDL
            | Grant.MANAGE_QUEUES
            | Grant.REPORT_DELIVERIES
            | Grant.READ_QUEUE_LOG
            | Grant.MANAGE_CONNECTIONS
            | Grant.OPEN_CONNECTION_SESSIONS
            | Grant.SIGN_MESSAGES
            | Grant.MANAGE_JOBS
            | Grant.USE_STAGING
            | Grant.MANAGE_STAGING
            | Grant.USE_LOADER
            | Grant.MANAGE_PACKAGES
            | Grant.READ_AUDIT
            | Grant.RECORD_MIGRATION
            | Grant.DOCUMENT_MIGRATION
            | Grant.COPY_RECORDS
            | Grant.REQUEST_RUNS
            | Grant.MANAGE_INTEGRATIONS
            | Grant.LOOK_UP_ACCOUNTS
            | Grant.REHEARSE_FAULTS
            | Grant.MANAGE_WORKFLOWS
            | Grant.READ_DIRECT_DATA
            | Grant.SHARE_VIEWS
        ):
            return False
        case _:
            assert_never(grant)


def connects(caller: Caller) -> bool:
    """Return whether the caller may copy records but not execute MDL, as the user of a connection."""
    # Administrators have all grants, that of copying among them.
    grants = caller.profile.grants
    return Grant.COPY_RECORDS in grants and Grant.EXECUTE_MDL not in grants


def writes_for_connection(caller: Caller) -> bool:
    """Return whether the caller writes transferred records: as the remote Vault, or as the connector's user."""
    if caller.connection_id is not None:
        return not caller.read_only
    return connects(caller)


def sets_links(caller: Caller) -> bool:
    """Return whether the caller may say which record of another Vault a record comes from."""
    return writes_for_connection(caller) or granted(caller, Grant.RECORD_MIGRATION)


def may_set(caller: Caller, object_name: str, field: Field) -> bool:
    """Return whether the caller may set a field of records that they may write.

    A field of business data that is not editable may be set by connections only, a Link by these and by administrators.
    """
    if is_tie(object_name, field) and not sets_links(caller):
        return False
    if field.editable and not field.system:
        return True
    by_connections = is_written_by_connections(object_name, field)
    return by_connections and writes_for_connection(caller)


def authorize(caller: Caller, grant: Grant) -> None:
    """Check that the caller has the grant.

    :raises VaultFault: INSUFFICIENT_ACCESS when not.
    """
    if not granted(caller, grant):
        message = f"{REFUSAL} [{grant}]{in_what_session(caller)}"
        raise VaultFault(ErrorType.INSUFFICIENT_ACCESS, message)


def authorize_copying(caller: Caller) -> None:
    """Check that the caller is a connected Vault with write access, or has the grant *copy records*.

    :raises VaultFault: INSUFFICIENT_ACCESS when neither.
    """
    # A remote Vault has a session with write access for just that.
    if caller.connection_id is None or caller.read_only:
        authorize(caller, Grant.COPY_RECORDS)


def authorize_components(caller: Caller, types: Iterable[str] | None = None) -> None:
    """Check that the caller may change components of each of the types; with None, of at least one type.

    :raises VaultFault: INSUFFICIENT_ACCESS when not.
    """
    if types is not None:
        for name in types:
            authorize(caller, _grant_to_change(name))
        return
    # Each component is checked once it is known; this only lets the call begin.
    for grant in _COMPONENTS.values():
        if granted(caller, grant):
            return
    authorize(caller, Grant.EXECUTE_MDL)


def may_change(caller: Caller, component_type: str) -> bool:
    """Return whether the caller may change components of the type."""
    return granted(caller, _grant_to_change(component_type))


def _grant_to_change(component_type: str) -> Grant:
    if component_type in _COMPONENTS:
        return _COMPONENTS[component_type]
    return Grant.EXECUTE_MDL


def holds_all_of(caller: Caller, profile: SecurityProfile) -> bool:
    """Return whether the caller may do all that a profile allows."""
    own = caller.profile
    if not profile.grants <= own.grants:
        return False
    # Objects that no set names have the permissions of these two names.
    names = {ALL_OBJECTS, BUSINESS_OBJECTS}
    for permissions in (*own.sets, *profile.sets):
        names.update(permissions.objects)
    return all(allowed(profile, name) <= allowed(own, name) for name in names)


def require_all_of(caller: Caller, profile: SecurityProfile) -> None:
    """Check that a profile that the caller assigns, or whose users they change, allows no more than the caller's own.

    :raises VaultFault: INSUFFICIENT_ACCESS when the profile allows more than the caller's own.
    """
    if holds_all_of(caller, profile):
        return
    name = profile.name[:100]
    message = (
        f"{REFUSAL} with security profile [{name}], which allows more than their own"
    )
    raise VaultFault(ErrorType.INSUFFICIENT_ACCESS, message)


def authorize_own(
    caller: Caller,
    owner: int,
    grant: Grant,
) -> None:
    """Check that an item belongs to the caller, or that the caller has the grant for other users' items.

    :raises VaultFault: INSUFFICIENT_ACCESS when neither.
    """
    if caller.user_id != owner:
        authorize(caller, grant)


def require_own(
    caller: Caller,
    owner: int,
    object_name: str,
    operation: Operation,
) -> None:
    """Check that an item belongs to the caller, or that the caller may do the operation on other users' items.

    :raises VaultFault: INSUFFICIENT_ACCESS when neither.
    """
    # A delegate only reads the delegator's own items.
    own = caller.delegate_user_id is None or operation is Operation.READ
    if caller.user_id != owner or not own:
        require(caller, object_name, operation)


def in_person(caller: Caller) -> None:
    """Check that the user acts in person, which changes of their sign-in, tokens and delegations require.

    :raises VaultFault: INSUFFICIENT_ACCESS in the session of a delegate or a connection.
    """
    where = in_what_session(caller)
    if where:
        raise VaultFault(ErrorType.INSUFFICIENT_ACCESS, f"{REFUSAL}{where}")
