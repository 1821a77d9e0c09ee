"""Sets the Transfer Status of inquiries in Vault CRM, which shows their senders whether they have arrived."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from enum import StrEnum

from services.connector.points.evaluation import (
    OutdatedRead,
    Row,
    SourceRows,
    query_all,
)
from services.connector.points.saving import Values, write_rows
from services.connector.points.transfer import Outcome, Transfer, UnitLineage
from services.connector.rules.item_failures import ItemFailure
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


Read = Callable[[Collection[str]], Awaitable[SourceRows]]
"""Reads inquiries by their ids."""
_LOCKED = frozenset({TransferStatus.PENDING, TransferStatus.SUCCESS})
"""The values at which people cannot change an inquiry."""


async def report_transferred(
    unit: Transfer,
    read: Read,
    rows: Mapping[str, Row],
    outcome: Outcome,
) -> None:
    """Set Success on the inquiries of ``rows``, which ``read`` reads once more, except failed ones.

    Record a failure for each inquiry that the source Vault refuses.

    :raises OutdatedRead: inquiries were changed since they were read.
    :raises ClientError: one of the calls fails.
    """
    # From a sandbox nothing is written into a production CRM; its inquiries keep their status.
    if not unit.configuration.may_write_back(unit.source.vault_id):
        return
    # Failed is set by ``fail_all``, after the exception that says why is recorded.
    transferred = {
        item: row for item, row in rows.items() if item not in outcome.failures
    }
    editable = {
        item: row
        for item, row in transferred.items()
        if text(row, STATUS) not in _LOCKED
    }
    await _set(unit, editable, TransferStatus.PENDING, outcome)
    if editable:
        transferred |= await _confirmed(read, editable)
    locked = {
        item: row for item, row in transferred.items() if item not in outcome.failures
    }
    await _set(unit, locked, TransferStatus.SUCCESS, outcome)


async def _set(
    unit: Transfer,
    rows: Mapping[str, Row],
    status: TransferStatus,
    outcome: Outcome,
) -> None:
    """Set a status on inquiries, if they are still as their rows were read; record a failure for each refused one.

    :raises OutdatedRead: some are not.
    """
    lineage = unit.lineage_back
    refused = await write_rows(
        unit.source,
        INQUIRY,
        STATUS,
        [_status_row(row, status, lineage) for row in rows.values()],
        lineage,
        unchanged=lineage is not None,
    )
    if refused and await _changed(unit, {item: rows[item] for item in refused}):
        raise OutdatedRead(f"{INQUIRY} changed while it was transferred")
    for item, failure in refused.items():
        outcome.fail(item, failure)


def _status_row(
    read: Row, status: TransferStatus, lineage: UnitLineage | None
) -> Values:
    """Return the row that sets a status on an inquiry."""
    row: Values = {"id": read["id"], STATUS: status}
    # A Vault that stores lineage is known to compare the date; others might refuse a row that names it.
    return row if lineage is None else {**row, MODIFIED: read[MODIFIED]}


async def _changed(unit: Transfer, rows: Mapping[str, Row]) -> bool:
    """Return whether inquiries have changed, or were deleted, since their rows were read."""
    head = f"SELECT id, {MODIFIED} FROM {INQUIRY}"  # noqa: S608  VQL, literals quoted
    stored = await query_all(unit.source, statements(head, "id", rows))
    dates = {str(row["id"]): row[MODIFIED] for row in stored}
    return any(dates.get(item) != row[MODIFIED] for item, row in rows.items())


async def _confirmed(read: Read, rows: Mapping[str, Row]) -> Mapping[str, Row]:
    """Check that inquiries which are at Pending now are still as their rows were read, and return their rows.

    An inquiry that was Failed could be edited until then, and Success would lock it with a text that never arrived.

    :raises OutdatedRead: some are not; when the unit is read again, nobody can change them any more.
    """
    now = await read(rows)
    if any(_content(row) != _content(now.rows.get(item)) for item, row in rows.items()):
        raise OutdatedRead(f"{INQUIRY} changed while it was transferred")
    return now.rows


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
    head = f"SELECT id, {MODIFIED}, {reading} FROM {INQUIRY}"  # noqa: S608  VQL, literals quoted
    rows: list[Values] = []
    for row in await query_all(source, statements(head, "id", reasons)):
        status, reason = text(row, STATUS), reasons.get(str(row["id"]), "")
        known = status == TransferStatus.FAILED and text(row, REASON) == reason
        if status != TransferStatus.SUCCESS and not known:
            with_reason: Values = {REASON: reason} if reason else {}
            failed = _status_row(row, TransferStatus.FAILED, unit)
            rows.append({**failed, **with_reason})
    # One that another message has transferred meanwhile is refused, and has Success when this is tried again.
    return await write_rows(
        source, INQUIRY, STATUS, rows, unit, unchanged=unit is not None
    )
