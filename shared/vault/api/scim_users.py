"""Converts users between the fields of the user calls and the attributes of SCIM."""

from __future__ import annotations

from collections.abc import Mapping

from shared.protocol.error_types import ErrorType
from shared.vault.api.scim_schemas import USER, VAULT_USER, Json
from shared.vault.errors import VaultFault

TEXTS: Mapping[str, str] = {
    "userName": "user_name__v",
    "locale": "user_locale__v",
    "preferredLanguage": "user_language__v",
    "timezone": "user_timezone__v",
}
"""Attributes whose values are those of user fields, unchanged."""
NAMES: Mapping[str, str] = {
    "givenName": "user_first_name__v",
    "familyName": "user_last_name__v",
}
CHOICES: Mapping[str, str] = {
    "securityProfile": "security_profile__v",
    "licenseType": "license_type__v",
}
"""Attributes of the Vault's own schema that may be set; their value is in an object."""
ALWAYS = frozenset({"schemas", "id"})


def user_resource(user: Mapping[str, object], root: str) -> Json:
    """Return a user of ``GET /objects/users`` as a resource; ``root`` is the address of the SCIM calls."""
    user_id = str(user["id"])
    shown: Json = {
        "schemas": [VAULT_USER, USER],
        "id": user_id,
        "meta": {
            "created": user["created_date__v"],
            "lastModified": user["modified_date__v"],
            "resourceType": "User",
            "location": f"{root}/Users/{user_id}",
        },
        "active": user["active__v"],
        "displayName": f"{user['user_first_name__v']} {user['user_last_name__v']}",
        "emails": [{"value": user["user_email__v"], "type": "work"}],
        "name": {name: user[field] for name, field in NAMES.items()},
    }
    shown |= {name: user[field] for name, field in TEXTS.items()}
    own: Json = {
        "createdBy": _reference(root, "Users", user["created_by__v"]),
        "domainAdmin": user["is_domain_admin__v"],
        "lastModifiedBy": _reference(root, "Users", user["modified_by__v"]),
        "licenseType": _reference(root, "LicenseTypes", user["license_type__v"]),
        "securityPolicy": _reference(
            root, "SecurityPolicies", user["security_policy_id__v"]
        ),
        "securityProfile": _reference(
            root, "SecurityProfiles", user["security_profile__v"]
        ),
    }
    # Absent, not null: a user who has never signed in has no such date.
    if user["last_login__v"] is not None:
        own["lastLogin"] = user["last_login__v"]
    shown[VAULT_USER] = own
    return shown


def _reference(root: str, endpoint: str, value: object) -> Json:
    return {"$ref": f"{root}/{endpoint}/{value}", "value": str(value)}


def user_fields(resource: Mapping[str, object]) -> dict[str, object]:
    """Return the user fields that a resource sets; unknown attributes are ignored, as SCIM demands.

    :raises VaultFault: INVALID_DATA when an attribute does not have the form that its schema demands.
    """
    fields: dict[str, object] = {}
    for name, field in TEXTS.items():
        if name in resource:
            fields[field] = _text(name, resource[name])
    if "active" in resource:
        fields["active__v"] = _text("active", resource["active"])
    names = _object("name", resource.get("name"))
    for name, field in NAMES.items():
        if name in names:
            fields[field] = _text(f"name.{name}", names[name])
    if "emails" in resource:
        fields["user_email__v"] = _email(resource["emails"])
    own = _object(VAULT_USER, resource.get(VAULT_USER))
    for name, field in CHOICES.items():
        chosen = _object(name, own.get(name))
        if "value" in chosen:
            fields[field] = _text(name, chosen["value"])
    return fields


def _object(name: str, value: object) -> Mapping[str, object]:
    """Return a complex attribute as an object, empty for null."""
    if value is None:
        return {}
    if isinstance(value, dict):
        return value
    raise _misshapen(name)


def _text(name: str, value: object) -> str:
    """Return a value in the format of the user calls: null is "", which empties the field."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case _:
            raise _misshapen(name)


def _email(value: object) -> str:
    """Return the address in a list with one e-mail address, as a user has no more."""
    if value is None or value == []:
        return ""
    if not isinstance(value, list):
        raise _misshapen("emails")
    addresses = [_object("emails", each) for each in value]
    work = [each for each in addresses if each.get("type", "work") == "work"]
    if not work:
        raise VaultFault(
            ErrorType.INVALID_DATA, "[emails] takes addresses of type work"
        )
    return _text("emails.value", work[0].get("value"))


def _misshapen(name: str) -> VaultFault:
    message = f"The attribute [{name}] does not have the form of its schema"
    return VaultFault(ErrorType.INVALID_DATA, message)


def chosen_attributes(
    resource: Json, attributes: str | None, excluded: str | None
) -> Json:
    """Return the resource with only the named attributes, or without the excluded ones.

    Schemas and id always remain.
    """
    if attributes is not None:
        wanted = _names(attributes) | ALWAYS
        return {name: value for name, value in resource.items() if _in(name, wanted)}
    if excluded is not None:
        unwanted = _names(excluded) - ALWAYS
        return {
            name: value for name, value in resource.items() if not _in(name, unwanted)
        }
    return resource


def _names(text: str) -> frozenset[str]:
    parts = (part.strip().lower() for part in text.split(","))
    return frozenset(part for part in parts if part)


def _in(name: str, names: frozenset[str]) -> bool:
    """Return whether ``names`` contains an attribute, or one of its sub-attributes such as ``name.familyName``."""
    lowered = name.lower()
    below = (f"{lowered}.", f"{lowered}:")
    return any(each == lowered or each.startswith(below) for each in names)
