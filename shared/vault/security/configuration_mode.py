"""Switches configuration mode: while it is on, a Vault is open to its administrators only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Grant, authorize, granted
from shared.vault.errors import VaultFault
from shared.vault.storage.database import COMPONENT_CHANGED

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.storage.database import Database

log = structlog.get_logger(__name__)


class ConfigurationMode:
    """Whether the mode is on, as this process last read it; a change is announced like a change of components."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.enabled = False

    async def load(self) -> None:
        """Read whether it is on, at start and whenever components or the mode have changed."""
        async with self._database.connection() as connection:
            self.enabled = await connection.fetchval(
                "SELECT enabled FROM platform.configuration_mode"
            )

    async def switch(self, caller: Caller, *, enabled: bool) -> None:
        """Switch the mode on or off, for all processes.

        :raises VaultFault: INSUFFICIENT_ACCESS.
        """
        authorize(caller, Grant.EXECUTE_MDL)
        async with self._database.transaction() as connection:
            await connection.execute(
                "UPDATE platform.configuration_mode SET enabled = $1", enabled
            )
            # Every process reads components and this mode again when it hears of it.
            await connection.execute("SELECT pg_notify($1, '')", COMPONENT_CHANGED)
        # At once in this process, which answers the call.
        self.enabled = enabled
        log.info("configuration_mode.switched", enabled=enabled, user_id=caller.user_id)

    def admit(self, caller: Caller) -> None:
        """Check that the caller may use the Vault now: administrators always, others unless the mode is on.

        :raises VaultFault: CONFIGURATION_MODE_ENABLED when not.
        """
        if not self.enabled or granted(caller, Grant.EXECUTE_MDL):
            return
        message = "The Vault is in configuration mode; only administrators have access"
        raise VaultFault(ErrorType.CONFIGURATION_MODE_ENABLED, message)
