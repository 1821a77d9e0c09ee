"""Records User Exception Messages and Items, once for each message and item, and resolves them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import orjson

from services.connector.points.evaluation import query_all
from services.connector.rules.item_failures import MAX_TEXT, ItemFailure
from services.connector.rules.rows import MAX_STATEMENT, contains, literal, statements
from shared.client.client import VaultClient
from shared.client.errors import VaultRefused
from shared.client.results import Row, RowResult, text
from shared.protocol.error_types import ErrorType
from shared.spark.envelope import known_id

MESSAGE = "exception_message__sys"
ITEM = "exception_item__sys"
MAX_BODY = 32_000
"""Characters of a message body that its record has room for."""
_MESSAGE_KEY = "message_id__sys"
_ITEM_KEY = "item_key__sys"
_STATUS = "error_status__sys"


class ErrorStatus(StrEnum):
    """The values of Error Status of an exception record."""

    OPEN = "open__sys"
    RETRYING = "retrying__sys"
    WARNING = "warning__sys"
    RESOLVED = "resolved__sys"
    IGNORED = "ignored__sys"


_UNRESOLVED = (ErrorStatus.OPEN, ErrorStatus.RETRYING, ErrorStatus.WARNING)
_IS_UNRESOLVED = contains(_STATUS, _UNRESOLVED)


class MessageErrorType(StrEnum):
    """Error types of a User Exception Message."""

    PROCESSING = "message_processing_error__sys"
    MALFORMED = "malformed_message__sys"
    CONFIGURATION = "configuration_error__sys"


@dataclass(frozen=True, slots=True)
class MessageFailure:
    """One message that could not be processed or delivered, as a whole or in some of its items.

    ``integration`` and ``integration_point`` are record ids, if known. ``warnings`` are about items that were
    transferred nevertheless.
    """

    message_id: str
    queue: str
    error_type: MessageErrorType
    text: str
    body: str
    received: int
    failed: int
    object: str = ""
    integration: str | None = None
    integration_point: str | None = None
    items: Mapping[str, ItemFailure] = field(default_factory=dict)
    warnings: Mapping[str, ItemFailure] = field(default_factory=dict)

    @property
    def status(self) -> ErrorStatus:
        """Return the Error Status of the message's record; a message with warnings only is not open."""
        warns_only = self.warnings and not self.failed
        return ErrorStatus.WARNING if warns_only else ErrorStatus.OPEN

    @property
    def whole(self) -> bool:
        """Return whether the message failed before any of its items was processed."""
        return not self.items and not self.warnings


def malformed(
    body: bytes,
    message_id: str,
    queue: str,
    reason: str,
) -> MessageFailure:
    """Return the failure of a body that is not a message."""
    # PostgreSQL stores no NUL in a text.
    shown = body[:MAX_BODY].decode(errors="replace").replace("\x00", "")
    return MessageFailure(
        message_id=known_id(message_id, body),
        queue=queue,
        error_type=MessageErrorType.MALFORMED,
        text=f"The message cannot be read: {reason}. Correct its sender; it cannot be sent again from here",
        body=shown,
        received=0,
        failed=0,
    )


class ExceptionRecords:
    """Writes the exception records of one Vault; every call may be repeated."""

    def __init__(self, client: VaultClient) -> None:
        self._client = client

    async def record(self, failures: Iterable[MessageFailure]) -> None:
        """Create or reopen the records of these failures.

        :raises VaultUnavailable: the Vault is away.
        :raises VaultRefused: the Vault refuses an exception record.
        """
        by_id = {failure.message_id: failure for failure in failures}
        if not by_id:
            return
        existing = await self._statuses(by_id)
        for message_id, status in existing.items():
            # A second copy of a message does not undo an administrator's decision.
            if status == ErrorStatus.IGNORED:
                del by_id[message_id]
        if not by_id:
            return
        records = await self._record_messages(by_id, existing)
        # After their messages, whose record ids they need.
        items = _item_rows(by_id.values(), records)
        # Only a message that has a record can have items that are ignored.
        if existing and items:
            items = await self._not_ignored(items)
        if items:
            results = await self._client.upsert(
                ITEM,
                items,
                id_param=_ITEM_KEY,
            )
            _require(results)
        if existing:
            whole = [failure for failure in by_id.values() if failure.whole]
            await self._open_again([records[each.message_id] for each in whole])

    async def _statuses(self, message_ids: Iterable[str]) -> dict[str, str]:
        """Return the Error Status of the messages that have a record, by message id."""
        head = f"SELECT id, {_MESSAGE_KEY}, {_STATUS} FROM {MESSAGE}"  # noqa: S608  VQL, literals quoted
        rows = await query_all(
            self._client, statements(head, _MESSAGE_KEY, message_ids)
        )
        return {str(row[_MESSAGE_KEY]): text(row, _STATUS) for row in rows}

    async def _record_messages(
        self,
        by_id: Mapping[str, MessageFailure],
        existing: Collection[str],
    ) -> dict[str, str]:
        """Write the records of messages, and return their ids by message id."""
        rows = []
        for message_id, failure in by_id.items():
            row = _message_row(failure)
            # A retry names only what was left, so the first record of a message keeps its body and its count.
            if message_id not in existing:
                row["message_body_json__sys"] = failure.body
                row["message_items_received__sys"] = failure.received
            rows.append(row)
        results = await self._client.upsert(
            MESSAGE,
            rows,
            id_param=_MESSAGE_KEY,
        )
        _require(results)
        written = zip(by_id, results, strict=True)
        return {message_id: str(result.id) for message_id, result in written}

    async def _not_ignored(self, items: list[Row]) -> list[Row]:
        """Return the items without those that an administrator ignores."""
        head = f"SELECT id, {_ITEM_KEY} FROM {ITEM}"  # noqa: S608  VQL, literals quoted
        keys = [str(item[_ITEM_KEY]) for item in items]
        condition = f"{_STATUS} = {literal(ErrorStatus.IGNORED)}"
        texts = statements(head, _ITEM_KEY, keys, conditions=condition)
        rows = await query_all(self._client, texts)
        ignored = {row[_ITEM_KEY] for row in rows}
        return [item for item in items if item[_ITEM_KEY] not in ignored]

    async def _open_again(self, records: Sequence[str]) -> None:
        """Reopen the items that were being retried, of messages that failed before any item was processed."""
        if not records:
            return
        head = f"SELECT id FROM {ITEM}"  # noqa: S608  VQL, literals quoted
        condition = f"{_STATUS} = {literal(ErrorStatus.RETRYING)}"
        texts = statements(head, MESSAGE, records, conditions=condition)
        rows = await query_all(self._client, texts)
        await self._set_status(ITEM, rows, ErrorStatus.OPEN)

    async def resolve(
        self,
        message_ids: Collection[str],
        point: str | None,
        items: Collection[str],
    ) -> None:
        """Resolve the earlier failures of these items at an integration point, and messages without unresolved items.

        ``message_ids`` are messages that were processed without a failure.

        :raises ClientError: one of the calls fails.
        """
        if not await self._any_unresolved(message_ids, point):
            return
        head = f"SELECT id FROM {MESSAGE}"  # noqa: S608  VQL, literals quoted
        texts = statements(
            head,
            _MESSAGE_KEY,
            message_ids,
            conditions=_IS_UNRESOLVED,
        )
        own = await query_all(self._client, texts)
        touched = {str(row["id"]) for row in own}
        if items and point is not None:
            touched |= await self._resolve_items(point, items)
        # A message is resolved when its last item is.
        if touched:
            touched -= await self._with_items(touched)
        resolved: list[Row] = [{"id": record} for record in sorted(touched)]
        await self._set_status(
            MESSAGE, resolved, ErrorStatus.RESOLVED, message_items_failed__sys=0
        )

    async def _resolve_items(
        self,
        point: str,
        items: Collection[str],
    ) -> set[str]:
        """Resolve the items at an integration point, and return the messages that they belong to."""
        at_point = f"exception_message__sysr.integration_point__sys = {literal(point)}"
        condition = f"{_IS_UNRESOLVED} AND {at_point}"
        head = f"SELECT id, {MESSAGE} FROM {ITEM}"  # noqa: S608  VQL, literals quoted
        texts = statements(head, "item__sys", items, conditions=condition)
        rows = await query_all(self._client, texts)
        await self._set_status(ITEM, rows, ErrorStatus.RESOLVED)
        return {str(row[MESSAGE]) for row in rows}

    async def _with_items(self, messages: Collection[str]) -> set[str]:
        """Return the messages among these that have unresolved items."""
        head = f"SELECT id, {MESSAGE} FROM {ITEM}"  # noqa: S608  VQL, literals quoted
        texts = statements(
            head,
            MESSAGE,
            messages,
            conditions=_IS_UNRESOLVED,
        )
        rows = await query_all(self._client, texts)
        return {str(row[MESSAGE]) for row in rows}

    async def _any_unresolved(
        self,
        message_ids: Collection[str],
        point: str | None,
    ) -> bool:
        """Return whether there may be anything to resolve."""
        # Most of the time there is nothing, and one query shows it.
        either = [] if point is None else [f"integration_point__sys = {literal(point)}"]
        # Messages recorded before their integration point was known are found by their id only.
        if message_ids:
            either.append(contains(_MESSAGE_KEY, message_ids))
        if not either:
            return False
        condition = f"({' OR '.join(either)}) AND {_IS_UNRESOLVED}"
        statement = f"SELECT id FROM {MESSAGE} WHERE {condition} MAXROWS 1"  # noqa: S608  VQL, literals quoted
        if len(statement) > MAX_STATEMENT:
            return True
        answer = await self._client.query(statement)
        return bool(answer.rows)

    async def _set_status(
        self,
        object_name: str,
        records: Sequence[Row],
        status: ErrorStatus,
        **fields: object,
    ) -> None:
        if not records:
            return
        changes = {_STATUS: status, **fields}
        rows = [{"id": str(record["id"]), **changes} for record in records]
        results = await self._client.update(object_name, rows)
        _require(results)


def _message_row(failure: MessageFailure) -> Row:
    row: Row = {
        _MESSAGE_KEY: failure.message_id,
        "queue__sys": failure.queue,
        "error_type__sys": failure.error_type,
        "error_message__sys": failure.text[:MAX_TEXT],
        _STATUS: failure.status,
        "message_items_failed__sys": failure.failed,
    }
    if failure.integration:
        row["integration__sys"] = failure.integration
    if failure.integration_point:
        row["integration_point__sys"] = failure.integration_point
    return row


def _item_rows(
    failures: Iterable[MessageFailure],
    records: Mapping[str, str],
) -> list[Row]:
    """Return the rows of failed and warned items; ``records`` are ids of message records by message id."""
    rows = []
    for failure in failures:
        record = records[failure.message_id]
        for item, reason in failure.items.items():
            row = _item_row(failure, record, item, reason)
            rows.append({**row, _STATUS: ErrorStatus.OPEN})
        for item, reason in failure.warnings.items():
            row = _item_row(failure, record, item, reason)
            rows.append({**row, _STATUS: ErrorStatus.WARNING})
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
        _ITEM_KEY: f"{failure.message_id}:{item}",
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


def _require(results: Iterable[RowResult]) -> None:
    """Check that the Vault has taken all rows.

    :raises VaultRefused: with the first error, when it refused some.
    """
    for result in results:
        if result.ok:
            continue
        kind: str = ErrorType.UNEXPECTED_ERROR
        reason = "without a reason"
        if result.errors:
            kind = result.errors[0].type
            reason = result.errors[0].message
        raise VaultRefused(kind, f"exception record not taken: {reason}")
