"""Writes failures as rows of exception records, and reads stored rows."""

from __future__ import annotations

import orjson

from services.connector.processing.message_failure import ErrorStatus, MessageFailure
from services.connector.processing.work_list import StoredItem
from services.connector.rules.item_failures import MAX_TEXT, ItemFailure
from services.connector.rules.rows import literal
from shared.client.results import Row, text

MESSAGE = "exception_message__sys"
ITEM = "exception_item__sys"
MESSAGE_KEY = "message_id__sys"
ITEM_KEY = "item_key__sys"
STATUS = "error_status__sys"
STATUS_OF_MESSAGE = "exception_message__sysr.error_status__sys"
POINT_OF_ITEM = "exception_message__sysr.integration_point__sys"
_MESSAGE_OF_ITEM = "exception_message__sysr.message_id__sys"


def message_row(failure: MessageFailure) -> Row:
    """Return the row of the failure's own message, without the fields that are set only when it is created."""
    row: Row = {
        MESSAGE_KEY: failure.message_id,
        "queue__sys": failure.queue,
        "error_type__sys": failure.error_type,
        "error_message__sys": failure.summary[:MAX_TEXT],
        STATUS: failure.status,
        "message_items_failed__sys": failure.failed,
    }
    if failure.integration:
        row["integration__sys"] = failure.integration
    if failure.integration_point:
        row["integration_point__sys"] = failure.integration_point
    return row


def refreshed_message(
    failure: MessageFailure,
    record: str,
) -> Row:
    """Return the row that updates an earlier message whose items failed again; ``record`` is its record id."""
    return {
        "id": record,
        "error_type__sys": failure.error_type,
        "error_message__sys": failure.summary[:MAX_TEXT],
    }


def same_cause(failure: MessageFailure) -> str:
    """Return the VQL condition of items at the failure's integration point; without a point, of its message's items."""
    if failure.integration_point is not None:
        return f"{POINT_OF_ITEM} = {literal(failure.integration_point)}"
    return f"{_MESSAGE_OF_ITEM} = {literal(failure.message_id)}"


def stored_item(row: Row) -> StoredItem:
    """Return the stored item that a queried row describes."""
    statuses = (text(row, STATUS), text(row, STATUS_OF_MESSAGE))
    return StoredItem(
        id=str(row["id"]),
        message=str(row[MESSAGE]),
        ignored=ErrorStatus.IGNORED in statuses,
    )


def item_rows(
    failure: MessageFailure,
    record: str,
) -> dict[str, Row]:
    """Return the rows of failed and warned items of the message with this record, by item id."""
    rows: dict[str, Row] = {}
    for item, reason in failure.items.items():
        row = _item_row(failure, record, item, reason)
        rows[item] = {**row, STATUS: ErrorStatus.OPEN}
    for item, reason in failure.warnings.items():
        row = _item_row(failure, record, item, reason)
        rows[item] = {**row, STATUS: ErrorStatus.WARNING}
    return rows


def _item_row(
    failure: MessageFailure,
    record: str,
    item: str,
    reason: ItemFailure,
) -> Row:
    # The record is named, not shown: its values may be personal and stay in the source Vault.
    data = orjson.dumps({"object": failure.object, "id": item})
    return {
        # One for each record at a point; an id is unique among all objects of a Vault, and a point reads one Vault.
        ITEM_KEY: f"{failure.integration_point or failure.message_id}:{item}",
        MESSAGE: record,
        "item__sys": item,
        "error_type__sys": reason.error_type,
        "error_message__sys": reason.message[:MAX_TEXT],
        "item_data__sys": data.decode(),
        # Empty, not absent: an item that fails again may fail elsewhere than before.
        "integration_rule__sys": reason.rule or "",
        "field_rule__sys": reason.field_rule or "",
        "target_field__sys": reason.target_field or "",
    }


def refreshed_item(
    row: Row,
    known: StoredItem,
) -> Row:
    """Return the row that updates a known item; its key and its message stay."""
    changes = {
        name: value for name, value in row.items() if name not in (ITEM_KEY, MESSAGE)
    }
    return {"id": known.id, **changes}
