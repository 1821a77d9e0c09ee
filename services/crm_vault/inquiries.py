"""Transfers Medical Inquiries to Medical, and locks them once they have been transferred."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import writes_for_connection
from shared.vault.connections.connection_rules import ConnectionType
from shared.vault.errors import ApiError
from shared.vault.integrations.integration_triggers import is_active
from shared.vault.model.component_model import EntryCriterion
from shared.vault.queues.outbox import send
from shared.vault.records.state_criteria import unsatisfied

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.queues.deliveries import DeliveryEvent
    from shared.vault.records.named_actions import ActionContext

OBJECT = "medical_inquiry__v"
INTEGRATION = "medical_inquiry_details__v"
QUEUE = "crm_to_medical_outbound_queue__v"
TARGET_POINT = "medical_inquiry_details_inbound__v"
STATUS = "transfer_status__v"
REASON = "transfer_error__v"
SUCCESS = "success__v"
CLOSED = "closed__v"

# Beside the criteria of the inquiry's state, so that one statement checks all.
NOT_TRANSFERRED = EntryCriterion(
    "not_transferred",
    f"{STATUS} != '{SUCCESS}'",
    "The inquiry has been transferred already",
)
STATES = f"SELECT state__v AS state, array_agg(id) AS ids FROM records.{OBJECT} WHERE id = ANY($1::text[]) GROUP BY 1"  # noqa: S608
STILL_PENDING = f"SELECT id FROM records.{OBJECT} WHERE id = ANY($1::text[]) AND transfer_status__v = 'pending__v'"  # noqa: S608
# A connection that is gone may have been one with Medical.
TO_RECEIVERS_ALONE = """
SELECT count(*) = cardinality($1::text[]) FROM records.connection__sys
WHERE api_name__sys = ANY($1::text[]) AND object_type__v = $2
"""
PENDING = {STATUS: "pending__v"}
NOT_DELIVERED = "It could not be brought to Medical. Transfer it again; if it fails again, ask an administrator."
FAILED = {STATUS: "failed__v"}


async def transfer_to_medical(context: ActionContext) -> Mapping[str, ApiError]:
    """Set Transfer Status to Pending and queue a message; return the errors of the inquiries that are refused, by id.

    It is a user action, and an entry action of the Submitted state (configuration guide, *Enabling the Integrations*).
    """
    # Without the integration nobody takes the message, and the inquiry would stay at Pending.
    if not await is_active(context.connection, INTEGRATION):
        message = "The Medical Inquiry Details Integration or its connection is not active in this Vault"
        error = ApiError(ErrorType.OPERATION_NOT_ALLOWED, message)
        return dict.fromkeys(context.ids, error)
    unready = await _unready(context)
    if unready:
        return unready
    changed = await context.records.change_in(
        context.connection, context.caller, context.object, context.ids, {}, PENDING
    )
    refused = {str(row.id): row.errors[0] for row in changed if row.errors}
    if refused:
        return refused
    attributes = {
        "object": OBJECT,
        "event": "transfer",
        "integration_point": TARGET_POINT,
    }
    # In the transaction of the change: a message leaves only for inquiries that are stored as Pending.
    await send(context, QUEUE, attributes, context.ids)
    return {}


async def _unready(context: ActionContext) -> Mapping[str, ApiError]:
    """Return the inquiries that are transferred, or no longer meet the entry criteria of their state, with errors."""
    # An inquiry may have been emptied since it was submitted, or was created in its state by record migration.
    by_state: dict[str, Sequence[str]] = {}
    if context.state is None:
        rows = await context.connection.fetch(STATES, list(context.ids))
        by_state = {row["state"]: row["ids"] for row in rows}
    else:
        by_state[context.state] = context.ids
    lifecycle = context.registry.lifecycles[context.object.lifecycle or ""]
    refused: dict[str, ApiError] = {}
    for name, ids in by_state.items():
        state = lifecycle.states[name]
        criteria = (NOT_TRANSFERRED, *state.entry_criteria)
        refused |= await unsatisfied(
            context.connection,
            context.registry,
            context.object,
            replace(state, entry_criteria=criteria),
            ids,
        )
    return refused


async def fail_transfer(event: DeliveryEvent) -> None:
    """Set Transfer Status to Failed in the inquiries of a message that did not reach Medical.

    When only receivers of External connections did not take the message, nothing is set: Medical still gets the
    inquiries, and Failed would make them editable.
    """
    message = event.lost.envelope.message
    if message.attributes.get("object") != OBJECT:
        return
    names = list(event.lost.connections)
    external = ConnectionType.EXTERNAL.value
    arrives = await event.connection.fetchval(TO_RECEIVERS_ALONE, names, external)
    if names and arrives:
        return
    target = event.registry.objects[OBJECT]
    # Those still Pending only: another message of an inquiry may have arrived since.
    pending = await event.connection.fetch(STILL_PENDING, list(message.items))
    ids = [row["id"] for row in pending]
    # A version of the object that was changed here may lack the field for the reason.
    reason = {REASON: NOT_DELIVERED} if REASON in target.fields else {}
    changes = {**FAILED, **reason}
    await event.records.change_in(
        event.connection, event.caller, target, ids, {}, changes
    )


class TransferredInquiry:
    """Protects an inquiry at Pending or Success from changes by others than the connection's user.

    It also clears the Closed Date of one that is reopened, and the reason of a failure when Transfer Status changes.
    """

    columns = (STATUS, "closed_date__v", REASON)

    def before_update(
        self,
        caller: Caller,
        stored: Record,
        changes: dict[str, object],
    ) -> ApiError | None:
        """Return why a change to an inquiry under way or transferred is refused, None when it is not.

        It empties the Closed Date of an inquiry that is reopened.
        """
        # A field rule leaves a field alone that the Case Request has no value for.
        status = changes.get("inquiry_status__v", CLOSED)
        if status != CLOSED and stored["closed_date__v"] is not None:
            changes.setdefault("closed_date__v", None)
        if STATUS in changes and stored.get(REASON) is not None:
            changes.setdefault(REASON, None)
        return (
            self._locked(caller, stored)
            or self._under_way(caller, stored, changes)
            or self._failed_before(stored, changes)
        )

    def before_delete(
        self,
        caller: Caller,
        stored: Record,
    ) -> ApiError | None:
        """Return why the deletion of an inquiry under way or transferred is refused, None when it is not."""
        return self._locked(caller, stored) or self._under_way(caller, stored, {})

    @staticmethod
    def _under_way(
        caller: Caller, stored: Record, changes: Mapping[str, object]
    ) -> ApiError | None:
        # Medical may have read it already: a later change would be locked by Success and never arrive.
        if stored[STATUS] != PENDING[STATUS] or writes_for_connection(caller):
            return None
        # The transfer fails, or begins anew.
        if STATUS in changes and changes.keys() <= {STATUS, REASON}:
            return None
        message = "The inquiry is being transferred to Medical; it can be changed or deleted when that has failed"
        return ApiError(ErrorType.OPERATION_NOT_ALLOWED, message)

    @staticmethod
    def _failed_before(
        stored: Record, changes: Mapping[str, object]
    ) -> ApiError | None:
        # It may have been edited since Medical has read it: Success would lock a text that never arrived.
        if changes.get(STATUS) != SUCCESS or stored[STATUS] != FAILED[STATUS]:
            return None
        message = "An inquiry at Failed is not being transferred and cannot become transferred; set Pending first"
        return ApiError(ErrorType.OPERATION_NOT_ALLOWED, message)

    @staticmethod
    def _locked(caller: Caller, stored: Record) -> ApiError | None:
        # The answers of Medical arrive as the connection's user.
        if stored[STATUS] != SUCCESS or writes_for_connection(caller):
            return None
        message = "The inquiry has been transferred to Medical and is locked"
        return ApiError(ErrorType.OPERATION_NOT_ALLOWED, message)
