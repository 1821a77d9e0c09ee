"""Sends the agents' results of Case Requests back to the Vault CRM that each request came from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from shared.spark.envelope import DESTINATION_ATTRIBUTE
from shared.vault.integrations.integration_triggers import active_with
from shared.vault.queues.outbox import send

if TYPE_CHECKING:
    from shared.spark.envelope import JsonValue
    from shared.vault.errors import ApiError
    from shared.vault.records.named_actions import ActionContext

OBJECT = "case_request__v"
INTEGRATION = "medical_inquiry_details__v"

# A link is the source Vault's id, an underscore and the record's id; the pattern keeps the cast to a number safe.
# A request without a link was made here, for a caller by telephone say, and concerns no CRM.
FROM_CRM = f"""
SELECT split_part(link__sys, '_', 1) AS vault, array_agg(id ORDER BY id) AS ids FROM records.{OBJECT}
WHERE id = ANY($1::text[]) AND link__sys ~ '^[0-9]{{1,18}}_' GROUP BY vault ORDER BY vault
"""  # noqa: S608


async def return_to_crm(context: ActionContext) -> Mapping[str, ApiError]:
    """Queue a message for each Vault CRM whose integration is active, about the requests that originated there.

    Parameters of the entry action: ``queue``, ``integration_point`` (of the CRM Vault), ``event``.
    """
    active = await active_with(context.connection, INTEGRATION)
    if not active:
        return {}
    rows = await context.connection.fetch(FROM_CRM, list(context.ids))
    for row in rows:
        vault = int(row["vault"])
        # A CRM whose integration is off has nobody to take the message, which would only end as an exception.
        if vault not in active:
            continue
        attributes: dict[str, JsonValue] = {
            "object": OBJECT,
            "event": context.parameter("event"),
            "integration_point": context.parameter("integration_point"),
            DESTINATION_ATTRIBUTE: vault,
        }
        queue = context.parameter("queue")
        await send(context, queue, attributes, row["ids"])
    return {}
