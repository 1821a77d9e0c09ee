"""Who is calling: the signed-in user that every permission check is about."""

from __future__ import annotations

from dataclasses import dataclass, replace

from shared.vault.access.permission_sets import SYSTEM_ADMIN, SecurityProfile


@dataclass(frozen=True, slots=True)
class Caller:
    """A user with a live session or an access token.

    ``profile`` is the security profile as it was when the call began. ``session_id`` is None for the Vault acting by
    itself, and for an access token. ``delegate_user_id`` is the user who has opened the session in this user's name.
    ``connection_id`` is the connection whose remote Vault works in the session; ``read_only`` says that it may write
    nothing.
    """

    user_id: int
    username: str
    profile: SecurityProfile
    session_id: str | None = None
    delegate_user_id: int | None = None
    connection_id: str | None = None
    read_only: bool = False


SYSTEM = Caller(user_id=1, username="System", profile=SYSTEM_ADMIN)
"""The Vault itself: first-start loading, entry actions."""


def on_behalf_of(caller: Caller) -> Caller:
    """The Vault acting for a caller who may do just this: everything is permitted, and theirs on record."""
    return replace(caller, profile=SYSTEM_ADMIN)
