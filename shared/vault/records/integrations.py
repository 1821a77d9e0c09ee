"""Integrations as records: what activating one does, and whether one is active."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from shared.vault.records.values import in_milliseconds

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.errors import ApiError
    from shared.vault.security.caller import Caller
    from shared.vault.storage.database import Connection

OBJECT = "integration__sys"
LAST_RUN = "last_successful_run_time__sys"

ACTIVE = """
SELECT EXISTS (
    SELECT FROM records.integration__sys i JOIN records.connection__sys c ON c.id = i.connection__sys
    WHERE i.integration_api_name__sys = $1 AND i.status__v = 'active__v'
      AND c.status__v = 'active__v' AND c.connection_state__sys = 'active__sys')
"""


class IntegrationTrigger:
    """Sets Last Successful Run Time to now whenever an integration becomes active (configuration guide)."""

    columns = ("status__v",)

    def before_update(self, caller: Caller, stored: Record, changes: dict[str, object]) -> ApiError | None:
        """Allow the update, with the run time beside an activation."""
        del caller
        if changes.get("status__v") == "active__v" and stored["status__v"] != "active__v":
            changes[LAST_RUN] = in_milliseconds(datetime.now(UTC))
        return None

    def before_delete(self, caller: Caller, stored: Record) -> ApiError | None:
        """Allow the deletion."""
        del caller, stored
        return None


async def is_active(connection: Connection, integration: str) -> bool:
    """Whether anything flows: the integration and its connection are both active."""
    return bool(await connection.fetchval(ACTIVE, integration))
