"""Medical inquiries: Transfer to Medical, and what holds once an inquiry has been transferred."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import connects
from shared.vault.errors import ApiError
from shared.vault.integrations.integration_triggers import is_active
from shared.vault.queues.entering import send

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.queues.delivery_events import DeliveryEvent
    from shared.vault.records.named_actions import ActionContext

OBJECT = "medical_inquiry__v"
INTEGRATION = "medical_inquiry_details__v"
QUEUE = "crm_to_medical_outbound_queue__v"
TARGET_POINT = "medical_inquiry_details_inbound__v"
SUCCESS = "success__v"
CLOSED = "closed__v"

TRANSFERRED = f"SELECT id FROM records.{OBJECT} WHERE id = ANY($1::text[]) AND transfer_status__v = '{SUCCESS}'"  # noqa: S608
STILL_PENDING = f"SELECT id FROM records.{OBJECT} WHERE id = ANY($1::text[]) AND transfer_status__v = 'pending__v'"  # noqa: S608
PENDING = {"transfer_status__v": "pending__v"}
FAILED = {"transfer_status__v": "failed__v"}


async def transfer_to_medical(context: ActionContext) -> Mapping[str, ApiError]:
    """Set Transfer Status to Pending and queue a message; an inquiry at Success is refused.

    As user action or entry action on the Submitted state (configuration guide, *Enabling the Integrations*).
    """
    if not await is_active(context.connection, INTEGRATION):
        text = "The Medical Inquiry Details Integration or its connection is not active in this Vault"
        return dict.fromkeys(
            context.ids, ApiError(ErrorType.OPERATION_NOT_ALLOWED, text)
        )
    transferred = {
        row["id"]
        for row in await context.connection.fetch(TRANSFERRED, list(context.ids))
    }
    if transferred:
        error = ApiError(
            ErrorType.OPERATION_NOT_ALLOWED, "The inquiry has been transferred already"
        )
        return dict.fromkeys(transferred, error)
    rows = await context.records.change_in(
        context.connection, context.caller, context.object, context.ids, {}, PENDING
    )
    if refused := {str(row.id): row.errors[0] for row in rows if row.errors}:
        return refused
    attributes = {
        "object": OBJECT,
        "event": "transfer",
        "integration_point": TARGET_POINT,
    }
    await send(context, QUEUE, attributes, context.ids)
    return {}


async def fail_transfer(event: DeliveryEvent) -> None:
    """Delivery event handler: inquiries whose message did not reach Medical get Transfer Status Failed."""
    message = event.lost.envelope.message
    if message.attributes.get("object") != OBJECT:
        return
    target = event.registry.objects[OBJECT]
    still = await event.connection.fetch(STILL_PENDING, list(message.items))
    ids = [row["id"] for row in still]
    await event.records.change_in(
        event.connection, event.caller, target, ids, {}, FAILED
    )


class TransferredInquiry:
    """An inquiry at Success changes through the connection's own user only; Closed Date is that of a closed one."""

    columns = ("transfer_status__v", "closed_date__v")

    def before_update(
        self, caller: Caller, stored: Record, changes: dict[str, object]
    ) -> ApiError | None:
        """Refuse every user's change to a transferred inquiry; empty the Closed Date of one that was opened again."""
        # A field rule leaves a field alone that the Case Request has no value for.
        status = changes.get("inquiry_status__v", CLOSED)
        if status != CLOSED and stored["closed_date__v"] is not None:
            changes.setdefault("closed_date__v", None)
        return self._locked(caller, stored)

    def before_delete(self, caller: Caller, stored: Record) -> ApiError | None:
        """Refuse every user's deletion of a transferred inquiry."""
        return self._locked(caller, stored)

    @staticmethod
    def _locked(caller: Caller, stored: Record) -> ApiError | None:
        if stored["transfer_status__v"] != SUCCESS or connects(caller):
            return None
        return ApiError(
            ErrorType.OPERATION_NOT_ALLOWED,
            "The inquiry has been transferred to Medical and is locked",
        )
