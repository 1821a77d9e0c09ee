"""Describes the fields of users and groups for their metadata endpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.vault.security import group_service as groups
from shared.vault.security.user_fields import CHANGE_PASSWORD, REQUIRED, TEXTS

if TYPE_CHECKING:
    from shared.vault.model.component_model import Picklist

Property = dict[str, object]

# Characters; those that differ are in LENGTHS.
LONG = 255
LENGTHS = {
    "alias__v": 40,
    "office_phone__v": 20,
    "mobile_phone__v": 20,
    "federated_id__v": 100,
    "user_first_name__v": 80,
    "user_last_name__v": 80,
    "user_locale__v": 10,
    "user_language__v": 10,
}


def _property(
    name: str, kind: str = "String", length: int = LONG, **more: object
) -> Property:
    """Return the metadata of a field; ``more`` are its flags and the members of its type."""
    required = bool(more.pop("required", False))
    multivalue = bool(more.pop("multivalue", False))
    read_only = bool(more.pop("read_only", False))
    return {
        "name": name,
        "type": kind,
        "length": length,
        "editable": not read_only,
        "queryable": True,
        "required": required,
        "multivalue": multivalue,
        # Fields that the Vault sets cannot be sent with a new user either.
        "onCreateEditable": not read_only,
        **more,
    }


def _reference(name: str, target: str, **more: object) -> Property:
    """Return the metadata of a field that refers to another object and that the Vault sets."""
    return _property(name, "ObjectReference", 20, object=target, read_only=True, **more)


def _moment(name: str) -> Property:
    """Return the metadata of a field with a date and time that the Vault sets."""
    return _property(name, "Calendar", 0, read_only=True)


def user_properties(profiles: Picklist) -> list[Property]:
    """Return the metadata of every field of a user; ``profiles`` are the security profiles that a user may have."""
    texts = [
        _property(name, length=LENGTHS.get(name, LONG), required=name in REQUIRED)
        for name in TEXTS
    ]
    values = [
        {"value": entry.name, "label": entry.label}
        for entry in profiles.entries.values()
        if entry.active
    ]
    return [
        *texts,
        _property("id", "id", 20, object="users", required=True, read_only=True),
        _property("active__v", "Boolean", 1),
        _property("domain_active__v", "Boolean", 1),
        _property("is_domain_admin__v", "Boolean", 1, read_only=True),
        _property(CHANGE_PASSWORD, "Boolean", 1),
        _property(
            "security_profile__v",
            "ObjectReference",
            40,
            object="Securityprofile",
            values=values,
        ),
        _property("license_type__v", "Picklist", 40, picklist="license_type__sys"),
        _reference("security_policy_id__v", "securitypolicies"),
        _reference("domain_id__v", "domains"),
        _reference("vault_id__v", "vaults", multivalue=True),
        _reference("group_id__v", "groups", multivalue=True),
        _moment("created_date__v"),
        _reference("created_by__v", "users"),
        _moment("modified_date__v"),
        _reference("modified_by__v", "users"),
        _moment("last_login__v"),
    ]


GROUP_PROPERTIES: list[Property] = [
    _property("id", "id", 20, required=True, read_only=True),
    _property("name__v", length=50, read_only=True),
    _property("label__v", length=groups.MAX_LABEL, required=True),
    _property("group_description__v", length=groups.MAX_DESCRIPTION),
    _property("active__v", "Boolean", 1),
    _property("type__v", length=40, read_only=True),
    _property("editable__v", "Boolean", 1, read_only=True),
    _property("system_group__v", "Boolean", 1, read_only=True),
    _property("allow_delegation_among_members__v", "Boolean", 1),
    _property("members__v", "ObjectReference", 20, object="users", multivalue=True),
    _property(
        "security_profiles__v",
        "ObjectReference",
        40,
        object="Securityprofile",
        multivalue=True,
    ),
    _moment("created_date__v"),
    _reference("created_by__v", "users"),
    _moment("modified_date__v"),
    _reference("modified_by__v", "users"),
]
