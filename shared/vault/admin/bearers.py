"""Limits, by address, the calls of those who see a document or a package without an account, by a link or token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.api.request_context import address_of, vault_of
from shared.vault.errors import VaultFault
from shared.vault.security.sign_in_limits import count_calls, network_of

if TYPE_CHECKING:
    from fastapi import Request

CALLS = 120
"""Calls of one address in a minute, at each of the doors."""


async def admit(request: Request, door: str) -> None:
    """Count a call at one of the doors.

    :raises VaultFault: API_LIMIT_EXCEEDED when there were too many calls from the address in this minute.
    """
    network = network_of(address_of(request))
    async with vault_of(request).database.connection() as connection:
        calls = await count_calls(connection, door, network)
    if calls > CALLS:
        message = "There were too many calls from your address; try again in a minute"
        raise VaultFault(ErrorType.API_LIMIT_EXCEEDED, message)
