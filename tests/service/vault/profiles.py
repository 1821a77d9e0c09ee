"""Security profiles that tests create by MDL, and users with them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count

from tests.service.vault.people import as_user, new_user
from tests.service.vault.served import Answer, Api

_numbers = count(1)


def name() -> str:
    return f"own_{next(_numbers)}__c"


async def execute(api: Api, text: str) -> Answer:
    return await api.post("/api/mdl/execute", data=text)


def quoted(values: object) -> str:
    return (
        ", ".join(f"'{value}'" for value in values)
        if isinstance(values, set | list | tuple)
        else ""
    )


def permission_set(own: str, grants: set[str], entries: Mapping[str, str]) -> str:
    """MDL of a permission set; ``entries`` are the first letters of operations by object."""
    letters = {"r": "read", "c": "create", "e": "edit", "d": "delete"}
    written = [
        f"Objectpermission {target} ({', '.join(f'{letters[o]}(true)' for o in allowed)})"
        for target, allowed in entries.items()
    ]
    parts = [
        f"label('{own}')",
        "active(true)",
        f"permissions({quoted(sorted(grants))})",
        *written,
    ]
    return f"RECREATE Permissionset {own} ({', '.join(parts)});"


def security_profile(own: str, *sets: str) -> str:
    named = quoted([f"Permissionset.{each}" for each in sets])
    return f"RECREATE Securityprofile {own} (label('{own}'), active(true), permission_sets({named}));"


async def with_profile(admin: Api, grants: set[str], entries: Mapping[str, str]) -> Api:
    """The session of a new user whose profile has one permission set with these permissions."""
    own = name()
    made = await execute(
        admin, permission_set(own, grants, entries) + security_profile(own, own)
    )
    assert made.status == "SUCCESS", made.text
    _, username = await new_user(admin, security_profile__v=own)
    return await as_user(admin, username)
