"""Case Requests: what an agent did returns to the Vault CRM that the request came from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from shared.vault.queues.entering import send
from shared.vault.records.integrations import is_active

if TYPE_CHECKING:
    from shared.vault.errors import ApiError
    from shared.vault.records.named_actions import ActionContext

OBJECT = "case_request__v"
INTEGRATION = "medical_inquiry_details__v"

# A request without a link was made here, for a caller by telephone say, and concerns no CRM.
FROM_CRM = f"SELECT id FROM records.{OBJECT} WHERE id = ANY($1::text[]) AND link__sys IS NOT NULL ORDER BY id"  # noqa: S608


async def return_to_crm(context: ActionContext) -> Mapping[str, ApiError]:
    """Queue a message about the requests that originated in CRM; nothing while the integration is inactive.

    Parameters of the entry action: ``queue``, ``integration_point`` (of the CRM Vault), ``event``.
    """
    if not await is_active(context.connection, INTEGRATION):
        return {}
    ids = [row["id"] for row in await context.connection.fetch(FROM_CRM, list(context.ids))]
    if ids:
        attributes = {
            "object": OBJECT,
            "event": context.parameter("event"),
            "integration_point": context.parameter("integration_point"),
        }
        await send(context, context.parameter("queue"), attributes, ids)
    return {}
