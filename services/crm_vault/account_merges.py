"""Records merges of accounts, and queues messages about them to the Medical Vault."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.crm_vault.inquiries import INTEGRATION, QUEUE
from shared.vault.access.caller import on_behalf_of
from shared.vault.bulk.record_merge import raise_first
from shared.vault.integrations.integration_triggers import is_active
from shared.vault.queues.outbox import send
from shared.vault.records.named_actions import ActionContext

if TYPE_CHECKING:
    from shared.vault.bulk.record_merge import RecordMerge

OBJECT = "account_merge__v"
TARGET_POINT = "account_inbound__v"


async def note_account_merge(merge: RecordMerge) -> None:
    """Create the record of a merge, and queue a message about it, in the transaction of the merge.

    The duplicate is deleted: its Global ID, by which the Medical Vault refers to it, is stored only in this record.

    :raises VaultFault: when the record is refused, or its message does not enter the queue.
    """
    target = merge.registry.objects.get(OBJECT)
    # An administrator may have inactivated the object; the merge is none the worse for it.
    if target is None or not target.active:
        return
    # Who may merge accounts need not be allowed to write records of merges.
    caller = on_behalf_of(merge.caller)
    row = {
        "duplicate_id__v": merge.duplicate["id"],
        "duplicate_global_id__v": merge.duplicate["global_id__sys"],
        "account__v": merge.main["id"],
    }
    noted = await merge.records.upsert_in(
        merge.connection,
        caller,
        target,
        [row],
        "duplicate_id__v",
    )
    raise_first(noted, OBJECT)
    # Without a message, the first run after the integration's activation reads the record.
    if not await is_active(merge.connection, INTEGRATION):
        return
    ids = [str(each.id) for each in noted]
    attributes = {
        "object": OBJECT,
        "event": "merge",
        "integration_point": TARGET_POINT,
    }
    context = ActionContext(
        merge.connection,
        caller,
        merge.registry,
        target,
        ids,
        merge.records,
    )
    await send(context, QUEUE, attributes, ids)
