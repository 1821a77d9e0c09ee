"""Serves the domain of this Vault, and the one security policy of its users."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter, Request
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation, require
from shared.vault.api import response_envelope as envelope
from shared.vault.api.own_address import origin
from shared.vault.api.request_context import (
    PREFIX,
    SignedIn,
    base_path,
    vault_of,
)
from shared.vault.errors import VaultFault
from shared.vault.security.password_rules import MIN_PASSWORD_LENGTH
from shared.vault.security.user_fields import LICENSE, SECURITY_POLICY
from shared.vault.security.user_records import OBJECT

router = APIRouter(prefix=PREFIX, tags=["Users"])

# Applications for medical affairs and for CRM are of one family.
FAMILY = {"name__v": "commercial__v", "label__v": "Commercial"}
# Users refer to the policy by a number, and its address has the same.
POLICY = str(SECURITY_POLICY)
POLICY_LABEL = "Default"
PASSWORD = {"name__v": "Password", "label__v": "Password"}

# Clients read the number of licenses as one of 32 bits.
UNBOUNDED = 2**31 - 1
POLICY_PARTS: Mapping[str, tuple[str, Mapping[str, tuple[str, str]]]] = {
    "policy_details": (
        "Details",
        {
            "name__v": ("string", "Public Key"),
            "label__v": ("string", "Policy Name"),
            "is_active__v": ("boolean", "Active"),
        },
    ),
    "policy_security_settings": (
        "Security Settings",
        {
            "authentication_type__v": ("SummaryObject", "Authentication Type"),
            "passwords_require_number__v": (
                "boolean",
                "Passwords require a number",
            ),
            "passwords_require_uppercase_letter__v": (
                "boolean",
                "Passwords require an upper-case letter",
            ),
            "passwords_require_nonalpha_char__v": (
                "boolean",
                "Passwords require a non-alphanumeric character",
            ),
            "min_password_length__v": ("number", "Minimum password length"),
            "require_question_on_password_reset__v": (
                "boolean",
                "A security question is asked before a password is reset",
            ),
            "allow_delegated_auth_sfdc__v": (
                "boolean",
                "Delegated authentication is allowed",
            ),
        },
    ),
}
"""The parts of a security policy: label, and type and label of each field."""


@router.get("/objects/domain", summary="The domain with its Vaults")
async def domain(
    request: Request,
    caller: SignedIn,
    *,
    include_application: bool = False,
) -> Response:
    """Returns the domain, whose only Vault is this one; for administrators.

    `include_application=true` adds the application of the Vault.
    """
    require(caller, OBJECT, Operation.READ)
    vault = vault_of(request)
    own = _domain(request)
    shown: dict[str, object] = {
        "id": vault.vault_id,
        "vault_name__v": vault.definition.label,
        "vault_status__v": "Active",
        "vault_family__v": FAMILY,
    }
    if include_application:
        application = vault.definition
        named = {"name": f"{application.name}__v", "label": application.label}
        shown["vault_application__v"] = [named]
    document = {
        "domain_name__v": own["name"],
        "domain_type__v": own["type"],
        "vaults__v": [shown],
    }
    return envelope.success(domain__v=document)


@router.get("/objects/domains", summary="Domains of the caller")
async def domains(request: Request, caller: SignedIn) -> Response:
    """Lists the one domain of this Vault."""
    del caller  # every signed-in user may call it
    return envelope.success(domains=[_domain(request)])


@router.get("/objects/licenses", summary="Licenses in use")
async def licenses(request: Request, caller: SignedIn) -> Response:
    """Returns the number of active users by license type; the number of licenses is not limited."""
    vault = vault_of(request)
    used = await vault.user_directory.licenses(caller)
    types = vault.components.registry.picklists[LICENSE].entries
    by_type = {name: _license(used.get(name, 0)) for name in types}
    application = {
        "application_name": f"{vault.definition.name}__v",
        "user_licensing": by_type,
    }
    # Views of documents, which nobody counts.
    views = {"licensed": UNBOUNDED, "used": 0}
    return envelope.success(doc_count=views, applications=[application])


def _license(used: int) -> dict[str, object]:
    return {"licensed": UNBOUNDED, "used": used, "shared": False}


@router.get("/metadata/objects/securitypolicies", summary="Fields of security policies")
async def policy_metadata(caller: SignedIn) -> Response:
    """Returns the parts of a security policy and their fields."""
    require(caller, OBJECT, Operation.READ)
    properties = [
        {
            "name": f"{part}__v",
            "type": ["CompleteObject"],
            "description": label,
            "objectTypeReferenced": [{"type": part}],
        }
        for part, (label, _) in POLICY_PARTS.items()
    ]
    objects = [
        {"name": part, "description": label, "properties": _fields(fields)}
        for part, (label, fields) in POLICY_PARTS.items()
    ]
    described = {
        "name": "security_policy",
        "description": "Security Policy",
        "properties": properties,
        "objects": objects,
    }
    return envelope.success(responseMessage="Success", metadata=described)


def _fields(fields: Mapping[str, tuple[str, str]]) -> list[dict[str, object]]:
    """Return the metadata of the fields in a part of the security policy, none of which can be changed."""
    return [
        {
            "name": name,
            "type": [kind],
            "description": label,
            "required": True,
            "editable": False,
            "onCreateEditable": False,
        }
        for name, (kind, label) in fields.items()
    ]


@router.get("/objects/securitypolicies", summary="Security policies")
async def policies(request: Request, caller: SignedIn) -> Response:
    """Lists the one security policy, which applies to all users."""
    require(caller, OBJECT, Operation.READ)
    head = f"{origin(request)}{base_path(request)}"
    address = f"{head}/objects/securitypolicies/{POLICY}"
    policy = {"name__v": POLICY, "label__v": POLICY_LABEL, "value__v": address}
    return envelope.success(security_policies__v=[policy])


@router.get(
    "/objects/securitypolicies/{security_policy_name}", summary="One security policy"
)
async def policy(caller: SignedIn, security_policy_name: str) -> Response:
    """Returns the password rules of the security policy."""
    require(caller, OBJECT, Operation.READ)
    if security_policy_name != POLICY:
        raise VaultFault(
            ErrorType.INVALID_DATA,
            f"There is no security policy [{security_policy_name[:100]}]",
        )
    details = {
        "name__v": POLICY,
        "label__v": POLICY_LABEL,
        "is_active__v": True,
    }
    # The documented settings. This Vault asks for no kinds of characters; it refuses what is easily guessed.
    settings = {
        "authentication_type__v": PASSWORD,
        "passwords_require_number__v": False,
        "passwords_require_uppercase_letter__v": False,
        "passwords_require_nonalpha_char__v": False,
        "min_password_length__v": MIN_PASSWORD_LENGTH,
        "require_question_on_password_reset__v": False,
        "allow_delegated_auth_sfdc__v": False,
    }
    return envelope.success(
        security_policy__v={
            "policy_details__v": details,
            "policy_security_settings__v": settings,
        }
    )


def _domain(request: Request) -> dict[str, str]:
    """Return name and type of the domain."""
    vault = vault_of(request)
    domain_type = vault.identity.domain_type
    return {"name": vault.definition.name, "type": domain_type.value.capitalize()}
