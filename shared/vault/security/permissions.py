"""The one place that says what each security profile may do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum, StrEnum

from shared.vault.errors import ErrorType, VaultFault
from shared.vault.security.caller import Caller, SecurityProfile


class Operation(StrEnum):
    """What may be done with the records of an object."""

    READ = "read"
    CREATE = "create"
    EDIT = "edit"
    DELETE = "delete"


class Grant(StrEnum):
    """What may be done beside records."""

    EXECUTE_MDL = "execute_mdl"
    READ_CONFIGURATION = "read_configuration"
    READ_QUEUES = "read_queues"
    MANAGE_QUEUES = "manage_queues"
    REPORT_DELIVERIES = "report_deliveries"
    READ_QUEUE_LOG = "read_queue_log"
    MANAGE_CONNECTIONS = "manage_connections"
    OPEN_CONNECTION_SESSIONS = "open_connection_sessions"
    SIGN_MESSAGES = "sign_messages"
    MANAGE_JOBS = "manage_jobs"  # those of others; one's own are always open
    USE_STAGING = "use_staging"
    MANAGE_STAGING = "manage_staging"  # everyone's folders
    USE_LOADER = "use_loader"
    MANAGE_PACKAGES = "manage_packages"
    READ_AUDIT = "read_audit"
    RECORD_MIGRATION = "record_migration"
    COPY_RECORDS = "copy_records"  # as a connection does: with the state of their source, and by runs
    REQUEST_RUNS = "request_runs"
    MANAGE_INTEGRATIONS = "manage_integrations"  # asked for by connectors
    LOOK_UP_ACCOUNTS = "look_up_accounts"  # in Vault CRM; asked for by connectors


class ObjectKind(Enum):
    """Objects, as far as permissions tell them apart."""

    BUSINESS = "business"
    EXCEPTION = "exception"
    PLATFORM = "platform"
    AUDIT = "audit"


ALL = frozenset(Operation)
WRITE = frozenset({Operation.READ, Operation.CREATE, Operation.EDIT})
READ = frozenset({Operation.READ})
NONE: frozenset[Operation] = frozenset()

RECORDS: Mapping[SecurityProfile, Mapping[ObjectKind, frozenset[Operation]]] = {
    SecurityProfile.SYSTEM_ADMIN: {
        ObjectKind.BUSINESS: ALL,
        ObjectKind.EXCEPTION: ALL,
        ObjectKind.PLATFORM: ALL,
        ObjectKind.AUDIT: READ,
    },
    SecurityProfile.INTEGRATION_USER: {
        ObjectKind.BUSINESS: WRITE,
        ObjectKind.EXCEPTION: WRITE,
        ObjectKind.PLATFORM: READ,
        ObjectKind.AUDIT: NONE,
    },
    SecurityProfile.BUSINESS_USER: {
        ObjectKind.BUSINESS: WRITE,
        ObjectKind.EXCEPTION: NONE,
        ObjectKind.PLATFORM: NONE,
        ObjectKind.AUDIT: NONE,
    },
}

GRANTS: Mapping[SecurityProfile, frozenset[Grant]] = {
    SecurityProfile.SYSTEM_ADMIN: frozenset(Grant),
    SecurityProfile.INTEGRATION_USER: frozenset(
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
    SecurityProfile.BUSINESS_USER: frozenset({Grant.LOOK_UP_ACCOUNTS}),
}

_WRITTEN_WITH: Mapping[str, Grant] = {"connection__sys": Grant.MANAGE_CONNECTIONS}
"""What it takes, beside the profile's rights on the object, to write its records."""

_READING = frozenset({Grant.READ_CONFIGURATION, Grant.READ_QUEUES})
"""What a session that may write nothing keeps of its profile's grants."""

_KINDS: Mapping[str, ObjectKind] = {
    "person__sys": ObjectKind.BUSINESS,
    "exception_message__sys": ObjectKind.EXCEPTION,
    "exception_item__sys": ObjectKind.EXCEPTION,
    "vault_package__v": ObjectKind.PLATFORM,
    "outbound_package__v": ObjectKind.PLATFORM,
    "package_component__v": ObjectKind.PLATFORM,
    "vault_component__v": ObjectKind.PLATFORM,
    "users": ObjectKind.PLATFORM,
    "groups": ObjectKind.PLATFORM,
    "document_audit_trail": ObjectKind.AUDIT,
    "object_audit_trail": ObjectKind.AUDIT,
    "system_audit_trail": ObjectKind.AUDIT,
    "domain_audit_trail": ObjectKind.AUDIT,
    "login_audit_trail": ObjectKind.AUDIT,
}
_REFUSAL = "User does not have sufficient privileges to perform the action"


def kind_of(object_name: str) -> ObjectKind:
    """Platform objects end in ``__sys``; a person is business data all the same."""
    return _KINDS.get(object_name) or (ObjectKind.PLATFORM if object_name.endswith("__sys") else ObjectKind.BUSINESS)


def may(caller: Caller, object_name: str, operation: Operation) -> bool:
    """Whether the caller may do this with the records of an object."""
    if operation not in RECORDS[caller.profile][kind_of(object_name)]:
        return False
    grant = _WRITTEN_WITH.get(object_name)
    return operation is Operation.READ or not (caller.read_only or (grant and not granted(caller, grant)))


def readable(caller: Caller) -> Callable[[str], bool]:
    """Which objects the caller may read, as a predicate on object names."""
    allowed = RECORDS[caller.profile]
    return lambda object_name: Operation.READ in allowed[kind_of(object_name)]


def require(caller: Caller, object_name: str, operation: Operation) -> None:
    """Refuse a caller who may not do this with the records of an object.

    :raises VaultFault: INSUFFICIENT_ACCESS.
    """
    if not may(caller, object_name, operation):
        raise VaultFault(ErrorType.INSUFFICIENT_ACCESS, f"{_REFUSAL} [{operation}] on [{object_name[:100]}]")


def granted(caller: Caller, grant: Grant) -> bool:
    """Whether the caller's profile holds the grant, and the session does not take it away."""
    return grant in GRANTS[caller.profile] and (grant in _READING or not caller.read_only)


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


def authorize_own(caller: Caller, owner: int, grant: Grant) -> None:
    """Refuse a caller to whom a thing does not belong, and whose profile does not hold the grant for those of others.

    :raises VaultFault: INSUFFICIENT_ACCESS.
    """
    if caller.user_id != owner:
        authorize(caller, grant)


def require_own(caller: Caller, owner: int, object_name: str, operation: Operation) -> None:
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
        raise VaultFault(ErrorType.INSUFFICIENT_ACCESS, f"{_REFUSAL} in a delegated session")
    if caller.connection_id is not None:
        raise VaultFault(ErrorType.INSUFFICIENT_ACCESS, f"{_REFUSAL} in a connection's session")
