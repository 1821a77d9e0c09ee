"""Describes SCIM: the provider's configuration, the resource types and their schemas, in the format of RFC 7643."""

from __future__ import annotations

from collections.abc import Mapping

Json = dict[str, object]

CORE = "urn:ietf:params:scim:schemas:core:2.0"
VAULT = "urn:ietf:params:scim:schemas:extension:veevavault:2.0"
USER = f"{CORE}:User"
VAULT_USER = f"{VAULT}:User"
LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
MAX_RESULTS = 1000
DOCUMENTATION = "https://developer.veevavault.com"

TYPES: Mapping[str, str] = {
    "User": "User Account",
    "SecurityProfile": "Security Profile",
    "SecurityPolicy": "Security Policy",
    "LicenseType": "License Type",
}
"""Types of resources, with their descriptions."""
ENDPOINTS: Mapping[str, str] = {
    "User": "Users",
    "SecurityProfile": "SecurityProfiles",
    "SecurityPolicy": "SecurityPolicies",
    "LicenseType": "LicenseTypes",
}


def provider() -> Json:
    """Return the configuration of the service provider."""
    no = {"supported": False}
    scheme = {
        "name": "OAuth Bearer Token",
        "description": "The id of a session, or an access token, as a bearer token",
        "type": "oauthbearertoken",
        "primary": True,
    }
    return {
        "schemas": [f"{CORE}:ServiceProviderConfig"],
        "documentationUri": DOCUMENTATION,
        "patch": no,
        "bulk": {**no, "maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": True, "maxResults": MAX_RESULTS},
        "changePassword": no,
        "sort": {"supported": True},
        "etag": no,
        "authenticationSchemes": [scheme],
    }


def schema_of(kind: str) -> str:
    """Return the schema of a type of resources."""
    if kind == "User":
        return USER
    return f"{VAULT}:{kind}"


def resource_type(kind: str) -> Json:
    """Return the description of a type of resources."""
    shown: Json = {
        "schemas": [f"{CORE}:ResourceType"],
        "id": kind,
        "name": kind,
        "description": TYPES[kind],
        "endpoint": f"/{ENDPOINTS[kind]}",
        "schema": schema_of(kind),
    }
    if kind == "User":
        shown["schemaExtensions"] = [{"schema": VAULT_USER, "required": True}]
    return shown


def schemas() -> dict[str, Json]:
    """Return the schemas by their ids."""
    found = {
        USER: _schema(USER, "User", TYPES["User"], _user_attributes()),
        VAULT_USER: _schema(
            VAULT_USER, "VaultSCIMUser", "Vault User", _vault_attributes()
        ),
    }
    for kind, about in TYPES.items():
        if kind != "User":
            shown = [_attribute("displayName", "The label"), _flag("active", "Active")]
            found[schema_of(kind)] = _schema(schema_of(kind), kind, about, shown)
    return found


def _schema(name: str, title: str, about: str, attributes: list[Json]) -> Json:
    return {
        "schemas": [f"{CORE}:Schema"],
        "id": name,
        "name": title,
        "description": about,
        "attributes": attributes,
    }


def _attribute(
    name: str, about: str, kind: str = "string", *, write: bool = False, **more: object
) -> Json:
    """Return an attribute of a schema; ``about`` describes it, and ``more`` replaces or adds members."""
    return {
        "name": name,
        "type": kind,
        "multiValued": False,
        "description": about,
        "required": False,
        "caseExact": False,
        "mutability": "readWrite" if write else "readOnly",
        "returned": "default",
        "uniqueness": "none",
        **more,
    }


def _flag(name: str, about: str, *, write: bool = False) -> Json:
    return _attribute(name, about, "boolean", write=write)


def _user_attributes() -> list[Json]:
    names: list[Json] = [
        _attribute("givenName", "The first name", write=True, required=True),
        _attribute("familyName", "The last name", write=True, required=True),
    ]
    email: list[Json] = [
        _attribute("value", "The address", write=True, required=True),
        _attribute("type", "The type, which is work", write=True),
    ]
    return [
        _attribute(
            "userName",
            "The name that the user signs in with",
            write=True,
            required=True,
            uniqueness="server",
        ),
        _attribute("name", "The name", "complex", write=True, subAttributes=names),
        _attribute("displayName", "First and last name"),
        _attribute(
            "emails",
            "The e-mail address",
            "complex",
            write=True,
            multiValued=True,
            subAttributes=email,
        ),
        _flag("active", "Whether the user may sign in", write=True),
        _attribute("locale", "The locale, such as en_US", write=True),
        _attribute("preferredLanguage", "The language, such as en", write=True),
        _attribute("timezone", "The time zone, such as America/Denver", write=True),
    ]


def _vault_attributes() -> list[Json]:
    value: list[Json] = [
        _attribute("value", "The id of the resource", write=True, required=True),
        _attribute("$ref", "The address of the resource", "reference"),
    ]
    references = {
        "createdBy": ("Who has created the user", False),
        "lastModifiedBy": ("Who has changed the user last", False),
        "securityProfile": ("The security profile", True),
        "licenseType": ("The license type", True),
        "securityPolicy": ("The security policy", False),
    }
    complex_ones = [
        _attribute(name, about, "complex", write=write, subAttributes=value)
        for name, (about, write) in references.items()
    ]
    return [
        *complex_ones,
        _flag("domainAdmin", "Whether the user administers the domain"),
        _attribute("lastLogin", "When the user signed in last", "dateTime"),
    ]
