"""Declares the component type of object lifecycles: states, criteria, entry and user actions, roles."""

from __future__ import annotations

from collections.abc import Mapping

from shared.vault.components.component_kinds import ComponentKind, PartKind, StateMember
from shared.vault.components.object_types import LABEL_LENGTH, NAME_LENGTH
from shared.vault.components.specification import (
    ComponentType,
    NameRule,
    by_name,
    component,
    enum,
    flag,
    number,
    text,
    xml,
)
from shared.vault.model.component_model import ValueFormat

STATE = PartKind.STATE
USER_ACTION = StateMember.USER_ACTION
ENTRY_ACTION = StateMember.ENTRY_ACTION
ENTRY_CRITERION = StateMember.ENTRY_CRITERION
RECORD_STATUSES = ("active__v", "inactive__v", "in_migration__v", "archived__v")

# Beside the states a member is named {state}.{name}.
_MEMBER_NAME_LENGTH = 2 * NAME_LENGTH + 1

_USER_ACTION = ComponentType(
    USER_ACTION,
    "User Action",
    "User Actions",
    "OUA",
    by_name(
        text("label", LABEL_LENGTH, required=True),
        number("order", 0),
        text("action", NAME_LENGTH),
        text("next_state", 255),
        text("prompts", NAME_LENGTH, multi_value=True),
        text("workflow", 255),
        xml("rule"),
        text("keyboard_shortcut", 1500, multi_value=True),
    ),
    name_rule=NameRule.STATE_MEMBER,
    max_name_length=_MEMBER_NAME_LENGTH,
)

_ENTRY_ACTION = ComponentType(
    ENTRY_ACTION,
    "Entry Action",
    "Entry Actions",
    "OEA",
    by_name(text("action", NAME_LENGTH), number("order", 0), xml("rule")),
    name_rule=NameRule.STATE_MEMBER,
    max_name_length=_MEMBER_NAME_LENGTH,
    open=True,
)

_ENTRY_CRITERION = ComponentType(
    ENTRY_CRITERION,
    "Entry Criterion",
    "Entry Criteria",
    "OEC",
    by_name(
        text("required_field", NAME_LENGTH),
        enum("value_format", tuple(ValueFormat)),
        text("criteria", 4000),
        text("condition", 4000),
        text("message", 1500),
        number("order", 0),
        xml("rule"),
    ),
    name_rule=NameRule.STATE_MEMBER,
    max_name_length=_MEMBER_NAME_LENGTH,
)

# Rules are how other Vaults express conditions: they are stored and returned, and never run here.
_MEMBERS: Mapping[str, ComponentType] = {
    USER_ACTION: _USER_ACTION,
    ENTRY_ACTION: _ENTRY_ACTION,
    ENTRY_CRITERION: _ENTRY_CRITERION,
}

_STATE = ComponentType(
    STATE,
    "Object Lifecycle State",
    "Object Lifecycle States",
    "OLS",
    by_name(
        text("label", LABEL_LENGTH, required=True),
        flag("active"),
        text("description", 500),
        text("state_type", 100),
        flag("record_inactive"),
        enum("record_status", RECORD_STATUSES),
        text("cancel_state", 255),
        flag("skip_cancel_state"),
        flag("skip_entry_actions_cancel_state"),
    ),
    _MEMBERS,
)

_ROLE = ComponentType(
    "Objectlifecyclerole",
    "Lifecycle Role",
    "Lifecycle Roles",
    "OLR",
    by_name(
        flag("active"),
        text("label", LABEL_LENGTH),
        text("application_role", 255),
        text("permissions", 255, multi_value=True),
    ),
    name_rule=NameRule.FREE,
    max_name_length=_MEMBER_NAME_LENGTH,
)

_PERMISSION = ComponentType(
    "Objectlifecyclepermission",
    "Lifecycle Permission",
    "Lifecycle Permissions",
    "OLP",
    by_name(
        text("states", 255, multi_value=True), text("role", 255), text("permission", 60)
    ),
    name_rule=NameRule.FREE,
    max_name_length=_MEMBER_NAME_LENGTH,
)

_EVENT = ComponentType(
    "Objectlifecycleevent",
    "Lifecycle Event",
    "Lifecycle Events",
    "OLE",
    by_name(xml("rule"), text("event", 1500), number("order", 0)),
    name_rule=NameRule.FREE,
    max_name_length=_MEMBER_NAME_LENGTH,
)

LIFECYCLE = ComponentType(
    ComponentKind.LIFECYCLE,
    "Object Lifecycle",
    "Object Lifecycles",
    "OLC",
    by_name(
        text("label", LABEL_LENGTH, required=True),
        component("starting_state", STATE),
        flag("active"),
        text("description", 500),
        text("state_labels", 255, multi_value=True),
        component("labeled_states", STATE, multi_value=True),
    ),
    {
        STATE: _STATE,
        **_MEMBERS,
        _ROLE.name: _ROLE,
        _PERMISSION.name: _PERMISSION,
        _EVENT.name: _EVENT,
    },
)
