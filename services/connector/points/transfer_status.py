"""Sets the Transfer Status of inquiries in Vault CRM, which shows their senders whether they have arrived."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from services.connector.points.evaluation import (
    OutdatedRead,
    Row,
    fetch,
    query_all,
)
from services.connector.points.saving import Values, write_back, write_rows
from services.connector.points.transfer import Outcome, Transfer, UnitLineage
from services.connector.rules.item_failures import ItemFailure
from services.connector.rules.query_plan import QueryPlan
from services.connector.rules.rows import MODIFIED, statements
from services.connector.vaults.record_access import RecordAccess
from shared.client.results import text

INQUIRY = "medical_inquiry__v"
STATUS = "transfer_status__v"
# Why an inquiry is at Failed; a Vault CRM that others run may have no such field.
REASON = "transfer_error__v"


class TransferStatus(StrEnum):
    """The values of Transfer Status of an inquiry."""

    PENDING = "pending__v"
    SUCCESS = "success__v"
    FAILED = "failed__v"


_LOCKED = frozenset({TransferStatus.PENDING, TransferStatus.SUCCESS})
"""The values at which people cannot change an inquiry."""


async def report_transferred(
    unit: Transfer,
    plan: QueryPlan,
    rows: Mapping[str, Row],
    outcome: Outcome,
) -> None:
    """Set Success on the inquiries of ``rows``, which the plan has read, except failed ones.

    Record a failure for each inquiry that the source Vault refuses.

    :raises OutdatedRead: inquiries were changed since they were read.
    :raises ClientError: one of the calls fails.
    """
    # From a sandbox nothing is written into a production CRM; its inquiries keep their status.
    if not unit.configuration.may_write_back(unit.source.vault_id):
        return
    # Failed is set by ``fail_all``, after the exception that says why is recorded.
    transferred = [item for item in rows if item not in outcome.failures]
    editable = {
        item: rows[item]
        for item in transferred
        if text(rows[item], STATUS) not in _LOCKED
    }
    await _set(unit, editable, TransferStatus.PENDING, outcome)
    if editable:
        await _confirm(unit, plan, editable)
    locked = [item for item in transferred if item not in outcome.failures]
    await _set(unit, locked, TransferStatus.SUCCESS, outcome)


async def _set(
    unit: Transfer,
    items: Iterable[str],
    status: TransferStatus,
    outcome: Outcome,
) -> None:
    statuses = dict.fromkeys(items, status)
    refused = await write_back(
        unit.source, INQUIRY, STATUS, statuses, unit.lineage_back
    )
    for item, failure in refused.items():
        outcome.fail(item, failure)


async def _confirm(
    unit: Transfer,
    plan: QueryPlan,
    rows: Mapping[str, Row],
) -> None:
    """Check that inquiries which are at Pending now are still as their rows were read.

    An inquiry that was Failed could be edited until then, and Success would lock it with a text that never arrived.

    :raises OutdatedRead: some are not; when the unit is read again, nobody can change them any more.
    """
    now = await fetch(unit.source, plan, rows)
    if any(_content(row) != _content(now.rows.get(item)) for item, row in rows.items()):
        raise OutdatedRead(f"{INQUIRY} changed while it was transferred")


def _content(row: Row | None) -> Row:
    """Return what was read of an inquiry without what the connector itself changes; nothing when it is gone."""
    own = (STATUS, MODIFIED)
    return {name: value for name, value in (row or {}).items() if name not in own}


async def fail_all(
    source: RecordAccess,
    reasons: Mapping[str, str],
    unit: UnitLineage | None,
) -> dict[str, ItemFailure]:
    """Set Failed on inquiries that were not transferred, with reasons by id; return the failures of refused ones.

    Inquiries with Success keep that status. A reason is empty where the source Vault keeps none.

    :raises ClientError: one of the calls fails.
    """
    reading = f"{STATUS}, {REASON}" if any(reasons.values()) else STATUS
    head = f"SELECT id, {reading} FROM {INQUIRY}"  # noqa: S608  VQL, literals quoted
    rows: list[Values] = []
    for row in await query_all(source, statements(head, "id", reasons)):
        status, reason = text(row, STATUS), reasons.get(str(row["id"]), "")
        known = status == TransferStatus.FAILED and text(row, REASON) == reason
        if status != TransferStatus.SUCCESS and not known:
            with_reason: Values = {REASON: reason} if reason else {}
            failed = {"id": row["id"], STATUS: TransferStatus.FAILED}
            rows.append({**failed, **with_reason})
    return await write_rows(source, INQUIRY, STATUS, rows, unit)
