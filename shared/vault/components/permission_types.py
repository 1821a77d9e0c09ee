"""Declares the component types of permissions, and the operations and grants that they name."""

from __future__ import annotations

from enum import StrEnum

from shared.vault.components.component_kinds import ComponentKind, PartKind
from shared.vault.components.component_tree import Component
from shared.vault.components.specification import (
    Attribute,
    ComponentType,
    NameRule,
    ValueType,
    by_name,
    component,
    flag,
    text,
)

__all__ = [
    "ALL_OBJECTS",
    "BUSINESS_OBJECTS",
    "OBJECT_PERMISSION",
    "PERMISSION_SET",
    "PERMISSION_TYPES",
    "PROFILE",
    "Grant",
    "Operation",
    "listed_permissions",
]

PROFILE = ComponentKind.SECURITY_PROFILE
PERMISSION_SET = ComponentKind.PERMISSION_SET
OBJECT_PERMISSION = PartKind.OBJECT_PERMISSION

# Name of the object permission that holds for every object without one of its own, in the same
# permission set.
ALL_OBJECTS = "all_objects__sys"

# The same for the objects that are not the platform's; it goes before that for all objects.
BUSINESS_OBJECTS = "business_objects__sys"


class Operation(StrEnum):
    """The operations that a permission set may allow on the records of an object."""

    READ = "read"
    CREATE = "create"
    EDIT = "edit"
    DELETE = "delete"


class Grant(StrEnum):
    """The permissions that do not concern records: values of ``permissions`` of a permission set."""

    EXECUTE_MDL = "execute_mdl"
    READ_CONFIGURATION = "read_configuration"
    READ_QUEUES = "read_queues"
    MANAGE_QUEUES = "manage_queues"  # Admin: Spark Queues
    REPORT_DELIVERIES = "report_deliveries"
    READ_QUEUE_LOG = "read_queue_log"  # Configuration: Queues: Queue Log
    MANAGE_CONNECTIONS = "manage_connections"  # Admin: Application: Manage Connections
    OPEN_CONNECTION_SESSIONS = "open_connection_sessions"
    SIGN_MESSAGES = "sign_messages"
    MANAGE_JOBS = "manage_jobs"  # those of others; one's own are always open
    USE_STAGING = "use_staging"
    MANAGE_STAGING = "manage_staging"  # everyone's folders
    USE_LOADER = "use_loader"
    MANAGE_PACKAGES = "manage_packages"
    READ_AUDIT = "read_audit"
    RECORD_MIGRATION = "record_migration"
    DOCUMENT_MIGRATION = "document_migration"
    COPY_RECORDS = "copy_records"  # as a connection does: with the state of their source, and by runs
    REQUEST_RUNS = "request_runs"
    MANAGE_INTEGRATIONS = "manage_integrations"  # Application: Manage Integrations
    LOOK_UP_ACCOUNTS = "look_up_accounts"  # Application: Look Up Accounts
    REHEARSE_FAULTS = "rehearse_faults"  # in a Vault that is not in production
    MANAGE_WORKFLOWS = "manage_workflows"  # those of others; one's own, and one's tasks, are always open
    READ_DIRECT_DATA = "read_direct_data"  # Application: API: Direct Data
    SHARE_VIEWS = "share_views"  # of lists, with everybody; one's own are always open


_OBJECT_PERMISSION = ComponentType(
    OBJECT_PERMISSION,
    "Object Permission",
    "Object Permissions",
    "OPE",
    # Without the attribute, the object is the one of the same name.
    by_name(
        component("object", ComponentKind.OBJECT),
        *(flag(operation.value) for operation in Operation),
    ),
    name_rule=NameRule.OPTIONAL_NAMESPACE,
)

# Vaults export more of a permission set than is known of it: that is kept, and gives no permission here.
_PERMISSION_SET = ComponentType(
    PERMISSION_SET,
    "Permission Set",
    "Permission Sets",
    "PER",
    by_name(
        text("label", 60, required=True),
        flag("active"),
        Attribute(
            "permissions",
            ValueType.ENUM,
            multi_value=True,
            enums=tuple(grant.value for grant in Grant),
        ),
    ),
    {OBJECT_PERMISSION: _OBJECT_PERMISSION},
    stored_only=True,
)

_PROFILE = ComponentType(
    PROFILE,
    "Security Profile",
    "Security Profiles",
    "SEC",
    by_name(
        text("label", 100, required=True),
        flag("active"),
        text("description", 255),
        component("permission_sets", PERMISSION_SET, multi_value=True),
    ),
    stored_only=True,
)

PERMISSION_TYPES = (_PERMISSION_SET, _PROFILE)


def listed_permissions(component: Component) -> list[dict[str, object]]:
    """Return what a permission set allows, in the format of a user's permissions.

    ``{object, permission_group, permission_subgroup, permission_list}`` for each object permission, and one entry whose
    object is None for the permissions that do not concern records.
    """
    listed = []
    for permission in component.children_of(OBJECT_PERMISSION):
        target = permission.reference("object") or permission.name
        operations = [str(each) for each in Operation if permission.flag(each)]
        listed.append(_listed(target, "object", sorted(operations)))
    grants = component.texts("permissions")
    if grants:
        listed.append(_listed(None, "vault", sorted(grants)))
    return listed


def _listed(target: str | None, group: str, allowed: list[str]) -> dict[str, object]:
    return {
        "object": target,
        "permission_group": group,
        "permission_subgroup": f"{group}_actions",
        "permission_list": allowed,
    }
