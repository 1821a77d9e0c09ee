"""Who is calling: the signed-in user that every permission check is about."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class SecurityProfile(StrEnum):
    """The security profiles of a Vault."""

    SYSTEM_ADMIN = "system_admin__v"
    INTEGRATION_USER = "integration_user__v"
    BUSINESS_USER = "business_user__v"


@dataclass(frozen=True, slots=True)
class Caller:
    """A user with a live session; ``session_id`` is None for the Vault acting by itself."""

    user_id: int
    username: str
    profile: SecurityProfile
    session_id: str | None = None


SYSTEM = Caller(user_id=1, username="System", profile=SecurityProfile.SYSTEM_ADMIN)
"""The Vault itself: first-start loading, entry actions."""
