"""Reacts to changes of integrations, and reads whether an integration is active."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from shared.vault.integrations.run_requests import request_run, schedule_next
from shared.vault.records.field_values import in_milliseconds

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.errors import ApiError
    from shared.vault.storage.database import Connection

OBJECT = "integration__sys"
LAST_RUN = "last_successful_run_time__sys"
RUN_INTERVAL = "run_interval__sys"
ACTIVE_STATUS = "active__v"

# Nothing flows unless the integration and its connection are both active.
ACTIVE = """
SELECT EXISTS (
    SELECT FROM records.integration__sys i JOIN records.connection__sys c ON c.id = i.connection__sys
    WHERE i.integration_api_name__sys = $1 AND i.status__v = 'active__v'
      AND c.status__v = 'active__v' AND c.state__v = 'active_state__sys')
"""

# A copied integration has an API name of its own, and ``copy_of__sys`` is that of its original.
ACTIVE_WITH = """
SELECT c.remote_vault_id__sys
FROM records.integration__sys i JOIN records.connection__sys c ON c.id = i.connection__sys
WHERE coalesce(i.copy_of__sys, i.integration_api_name__sys) = $1 AND i.status__v = 'active__v'
  AND c.status__v = 'active__v' AND c.state__v = 'active_state__sys' AND c.remote_vault_id__sys IS NOT NULL
"""


class IntegrationTrigger:
    """Maintains *Last Successful Run Time* as the configuration guide describes it.

    The time is set to now whenever an integration becomes active. When a user sets the time back, an active
    integration runs.
    """

    columns = ("status__v", LAST_RUN, RUN_INTERVAL)

    def before_update(
        self, caller: Caller, stored: Record, changes: dict[str, object]
    ) -> ApiError | None:
        """Allow the update; set the run time when the integration becomes active."""
        del caller
        activated = changes.get("status__v") == ACTIVE_STATUS
        if activated and stored["status__v"] != ACTIVE_STATUS:
            changes[LAST_RUN] = in_milliseconds(datetime.now(UTC))
        return None

    async def after_update(
        self,
        connection: Connection,
        caller: Caller,
        updated: Sequence[tuple[Record, Mapping[str, object]]],
    ) -> None:
        """Schedule integrations whose interval or status has changed, and run those whose time was set back."""
        for stored, changes in updated:
            integration = stored["id"]
            if RUN_INTERVAL in changes or "status__v" in changes:
                await schedule_next(connection, caller, integration)
            was_active = stored["status__v"] == ACTIVE_STATUS
            if was_active and _set_back(stored[LAST_RUN], changes.get(LAST_RUN)):
                await request_run(connection, caller, integration)

    def before_delete(self, caller: Caller, stored: Record) -> ApiError | None:
        """Allow the deletion."""
        del caller, stored
        return None


async def is_active(connection: Connection, integration: str) -> bool:
    """Return whether an integration (API name) and its connection are both active."""
    active = await connection.fetchval(ACTIVE, integration)
    return bool(active)


async def active_with(connection: Connection, integration: str) -> set[int]:
    """Return the ids of the Vaults with which an integration (API name) or a copy of it is active."""
    rows = await connection.fetch(ACTIVE_WITH, integration)
    return {int(row["remote_vault_id__sys"]) for row in rows}


def _set_back(before: object, after: object) -> bool:
    if not isinstance(before, datetime) or not isinstance(after, datetime):
        return False
    return after < before
