"""Sets the Transfer Status of inquiries in Vault CRM, which shows their senders whether they have arrived."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum

from services.connector.points.evaluation import query_all
from services.connector.points.saving import write_back
from services.connector.points.transfer import UnitLineage
from services.connector.rules.item_failures import ItemFailure
from services.connector.rules.rows import statements
from services.connector.vaults.record_access import RecordAccess
from shared.client.results import text

INQUIRY = "medical_inquiry__v"
STATUS = "transfer_status__v"


class TransferStatus(StrEnum):
    """The values of Transfer Status of an inquiry."""

    PENDING = "pending__v"
    SUCCESS = "success__v"
    FAILED = "failed__v"


async def set_status(
    source: RecordAccess,
    statuses: Mapping[str, TransferStatus],
    unit: UnitLineage | None,
) -> dict[str, ItemFailure]:
    """Set the Transfer Status of inquiries by id; return the failures of inquiries that the Vault refused to update.

    ``unit`` is the lineage of the rows, None when the source Vault stores none.

    :raises ClientError: the call fails.
    """
    return await write_back(source, INQUIRY, STATUS, statuses, unit)


async def fail_all(
    source: RecordAccess,
    ids: Collection[str],
    unit: UnitLineage | None,
) -> dict[str, ItemFailure]:
    """Set Failed on inquiries that were not transferred, and return the failures of those that did not take it.

    Inquiries with Success keep that status.

    :raises ClientError: one of the calls fails.
    """
    head = f"SELECT id, {STATUS} FROM {INQUIRY}"  # noqa: S608  VQL, literals quoted
    rows = await query_all(source, statements(head, "id", ids))
    settled = (TransferStatus.SUCCESS, TransferStatus.FAILED)
    failed = {
        str(row["id"]): TransferStatus.FAILED
        for row in rows
        if text(row, STATUS) not in settled
    }
    return await set_status(source, failed, unit)
