"""Sends documents to each Vault CRM that takes them, when they enter a state that CRM has to know of."""

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

INTEGRATION = "clm__v"


async def publish_to_crm(context: ActionContext) -> Mapping[str, ApiError]:
    """Queue a message for each Vault CRM with which the CLM Integration is active.

    Parameters of the entry action: ``queue``, ``integration_point`` (of the CRM Vault), ``event``.
    """
    vaults = await active_with(context.connection, INTEGRATION)
    # To every one of them: which documents a CRM takes is decided by its own integration rules.
    for vault in sorted(vaults):
        attributes: dict[str, JsonValue] = {
            "object": context.object.name,
            "event": context.parameter("event"),
            "integration_point": context.parameter("integration_point"),
            DESTINATION_ATTRIBUTE: vault,
        }
        queue = context.parameter("queue")
        await send(context, queue, attributes, context.ids)
    return {}
