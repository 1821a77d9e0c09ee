"""Lists the types of component and sub-component that a Vault's code distinguishes."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["ComponentKind", "PartKind", "StateMember", "kind_of"]


class ComponentKind(StrEnum):
    """The types of component that a Vault uses; components of other types are only stored and returned."""

    OBJECT = "Object"
    OBJECT_TYPE = "Objecttype"
    OBJECT_ACTION = "Objectaction"
    PICKLIST = "Picklist"
    LIFECYCLE = "Objectlifecycle"
    # Stored as it is written, but it gives types to the states of a lifecycle.
    STATE_TYPE_ASSOCIATION = "Lifecyclestatetypeassociation"
    QUEUE = "Queue"
    INTEGRATION_RULE = "Integrationrule"
    PERMISSION_SET = "Permissionset"
    SECURITY_PROFILE = "Securityprofile"
    DOCUMENT_TYPE = "Doctype"
    DOCUMENT_FIELD = "Docfield"
    DOCUMENT_LIFECYCLE = "Doclifecycle"
    RENDITION_TYPE = "Renditiontype"
    WORKFLOW = "Objectworkflow"


class PartKind(StrEnum):
    """The types of sub-component that code uses by name."""

    FIELD = "Field"
    OBJECT_ACTION = "Objectaction"
    TYPE_FIELD = "Typefield"
    PICKLIST_ENTRY = "Picklistentry"
    STATE = "Objectlifecyclestate"
    QUEUE_CONNECTION = "Queueconnection"
    FIELD_RULE = "Fieldrule"
    QUERY_OBJECT_RULE = "Queryobjectrule"
    OBJECT_PERMISSION = "Objectpermission"
    DOCUMENT_STATE = "Doclifecyclestate"
    DOCUMENT_USER_ACTION = "Doclifecyclestateuseraction"
    DOCUMENT_ENTRY_ACTION = "Doclifecyclestateentryaction"
    WORKFLOW_STEP = "Objectworkflowstep"


class StateMember(StrEnum):
    """The types of sub-component that belong to one state of a lifecycle of records."""

    USER_ACTION = "Objectlifecyclestateuseraction"
    ENTRY_ACTION = "Objectlifecyclestateentryaction"
    ENTRY_CRITERION = "Objectlifecyclestateentrycriterion"


_KINDS = {kind.value: kind for kind in ComponentKind}


def kind_of(type_name: str) -> ComponentKind | None:
    """Return the kind of a component type by its name; None for a type that a Vault does not use."""
    return _KINDS.get(type_name)
