"""Transfer Status of inquiries in CRM: how the sender learns what became of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from services.connector.points.outcome import ItemFailure
from services.connector.points.saving import write_back
from services.connector.points.source import query_all
from services.connector.points.unit_lineage import UnitLineage
from services.connector.rules.vql_text import statements
from services.connector.vaults.record_access import RecordAccess
from shared.client.results import text

INQUIRY = "medical_inquiry__v"
SUCCESS, FAILED = "success__v", "failed__v"


async def set_status(
    source: RecordAccess, statuses: Mapping[str, str], unit: UnitLineage | None
) -> dict[str, ItemFailure]:
    """Set the Transfer Status of inquiries by id; the failures of those that the Vault did not take.

    ``unit`` is the lineage that it keeps, if it does. Raises ClientError.
    """
    return await write_back(source, INQUIRY, "transfer_status__v", statuses, unit)


async def fail_all(
    source: RecordAccess, ids: Collection[str], unit: UnitLineage | None
) -> None:
    """Set Failed on inquiries of a message that could not be processed; those at Success keep it.

    ``unit`` as there. Raises ClientError.
    """
    head = f"SELECT id, transfer_status__v FROM {INQUIRY}"  # noqa: S608  VQL, literals quoted
    rows = await query_all(source, statements(head, "id", ids))
    open_ids = [
        str(row["id"])
        for row in rows
        if text(row, "transfer_status__v") not in (SUCCESS, FAILED)
    ]
    await set_status(source, dict.fromkeys(open_ids, FAILED), unit)
