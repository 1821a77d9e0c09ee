"""User Exception Messages and Items: recorded once a message and item however often it fails, resolved on success."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import orjson

from services.connector.points.evaluation import query_all
from services.connector.rules.item_failures import MAX_TEXT, ItemFailure
from services.connector.rules.vql_text import (
    MAX_STATEMENT,
    contains,
    literal,
    statements,
)
from shared.client.client import VaultClient
from shared.client.errors import VaultRefused

MESSAGE = "exception_message__sys"
ITEM = "exception_item__sys"
OPEN, RESOLVED, WARNING = "open__sys", "resolved__sys", "warning__sys"
RETRYING, IGNORED = "retrying__sys", "ignored__sys"
UNRESOLVED = (OPEN, RETRYING, WARNING)
MAX_BODY = 32_000


class MessageErrorType(StrEnum):
    """Error types of a User Exception Message."""

    PROCESSING = "message_processing_error__sys"
    MALFORMED = "malformed_message__sys"
    CONFIGURATION = "configuration_error__sys"


@dataclass(frozen=True, slots=True)
class MessageFailure:
    """One message that could not be processed or delivered, wholly or in some of its items.

    ``integration`` and ``integration_point`` are record ids, where they are known. ``warnings`` are about items that
    were transferred all the same.
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
    def status(self) -> str:
        """The Error Status of its record: a message that only warns is not open."""
        return OPEN if self.failed or not self.warnings else WARNING


def malformed(
    body: bytes, message_id: str | None, queue: str, reason: str
) -> MessageFailure:
    """The failure of a body that is no message; without an id it is known by the body's digest."""
    return MessageFailure(
        message_id=message_id or hashlib.sha256(body).hexdigest(),
        queue=queue,
        error_type=MessageErrorType.MALFORMED,
        text=f"The message cannot be read: {reason}. Correct its sender; it cannot be sent again from here",
        body=body[:MAX_BODY].decode(errors="replace").replace("\x00", ""),
        received=0,
        failed=0,
    )


class ExceptionRecords:
    """The exception records of one Vault; every call may be repeated."""

    def __init__(self, client: VaultClient) -> None:
        self._client = client

    async def record(self, failures: Iterable[MessageFailure]) -> None:
        """Create or reopen the records of these failures.

        Raises VaultUnavailable, and VaultRefused when the Vault does not take an exception record.
        """
        by_id = {failure.message_id: failure for failure in failures}
        if not by_id:
            return
        head = f"SELECT id, message_id__sys, error_status__sys FROM {MESSAGE}"  # noqa: S608  VQL, literals quoted
        known = await query_all(
            self._client, statements(head, "message_id__sys", by_id)
        )
        existing = {str(row["message_id__sys"]) for row in known}
        for row in known:
            if row["error_status__sys"] == [IGNORED]:
                del by_id[
                    str(row["message_id__sys"])
                ]  # a second copy does not undo an administrator's decision
        if not by_id:
            return
        # A retry names only what was left, so the first record of a message keeps its body and its count.
        rows = [
            _message_row(failure, first=failure.message_id not in existing)
            for failure in by_id.values()
        ]
        results = await self._client.upsert(MESSAGE, rows, id_param="message_id__sys")
        records: dict[str, str] = {}
        for message_id, result in zip(by_id, results, strict=True):
            _require(result.ok, result.errors)
            records[message_id] = str(result.id)
        items = [
            _item_row(failure, records[failure.message_id], item, reason, status)
            for failure in by_id.values()
            for reasons, status in ((failure.items, OPEN), (failure.warnings, WARNING))
            for item, reason in reasons.items()
        ]
        if existing and items:
            items = await self._not_ignored(items)
        if items:
            for result in await self._client.upsert(
                ITEM, items, id_param="item_key__sys"
            ):
                _require(result.ok, result.errors)
        whole = [
            failure
            for failure in by_id.values()
            if not failure.items and not failure.warnings
        ]
        await self._open_again(
            [records[failure.message_id] for failure in whole if existing]
        )

    async def _not_ignored(
        self, items: list[dict[str, object]]
    ) -> list[dict[str, object]]:
        head = f"SELECT id, item_key__sys FROM {ITEM}"  # noqa: S608  VQL, literals quoted
        keys = [str(item["item_key__sys"]) for item in items]
        condition = f"error_status__sys = {literal(IGNORED)}"
        rows = await query_all(
            self._client, statements(head, "item_key__sys", keys, conditions=condition)
        )
        ignored = {row["item_key__sys"] for row in rows}
        return [item for item in items if item["item_key__sys"] not in ignored]

    async def _open_again(self, records: Sequence[str]) -> None:
        """Items that were being retried, of messages that failed before any item was looked at."""
        if not records:
            return
        head = f"SELECT id FROM {ITEM}"  # noqa: S608  VQL, literals quoted
        condition = f"error_status__sys = {literal(RETRYING)}"
        rows = await query_all(
            self._client,
            statements(head, "exception_message__sys", records, conditions=condition),
        )
        await self._set_status(ITEM, [str(row["id"]) for row in rows], OPEN)

    async def resolve(
        self, message_ids: Collection[str], point: str | None, items: Collection[str]
    ) -> None:
        """Resolve what these items failed with before at an integration point, and messages with nothing left.

        ``message_ids`` are messages that came through without a failure. Raises ClientError.
        """
        if not await self._any_unresolved(message_ids, point):
            return
        head = f"SELECT id FROM {MESSAGE}"  # noqa: S608  VQL, literals quoted
        condition = contains("error_status__sys", UNRESOLVED)
        own = await query_all(
            self._client,
            statements(head, "message_id__sys", message_ids, conditions=condition),
        )
        touched = {str(row["id"]) for row in own}
        if items and point is not None:
            at_point = (
                f"exception_message__sysr.integration_point__sys = {literal(point)}"
            )
            condition = f"{contains('error_status__sys', UNRESOLVED)} AND {at_point}"
            head = f"SELECT id, exception_message__sys FROM {ITEM}"  # noqa: S608  VQL, literals quoted
            rows = await query_all(
                self._client, statements(head, "item__sys", items, conditions=condition)
            )
            await self._set_status(ITEM, [str(row["id"]) for row in rows], RESOLVED)
            touched.update(str(row["exception_message__sys"]) for row in rows)
        if touched:
            head = f"SELECT id, exception_message__sys FROM {ITEM}"  # noqa: S608  VQL, literals quoted
            condition = contains("error_status__sys", UNRESOLVED)
            left = await query_all(
                self._client,
                statements(
                    head, "exception_message__sys", touched, conditions=condition
                ),
            )
            touched -= {str(row["exception_message__sys"]) for row in left}
        await self._set_status(
            MESSAGE, sorted(touched), RESOLVED, message_items_failed__sys=0
        )

    async def _any_unresolved(
        self, message_ids: Collection[str], point: str | None
    ) -> bool:
        """Whether there may be anything to resolve: most of the time there is not, and one question tells."""
        # Messages recorded before their integration point was known are found by their id only.
        either = [] if point is None else [f"integration_point__sys = {literal(point)}"]
        if message_ids:
            either.append(contains("message_id__sys", message_ids))
        if not either:
            return False
        condition = (
            f"({' OR '.join(either)}) AND {contains('error_status__sys', UNRESOLVED)}"
        )
        text = f"SELECT id FROM {MESSAGE} WHERE {condition} MAXROWS 1"  # noqa: S608  VQL, literals quoted
        return len(text) > MAX_STATEMENT or bool((await self._client.query(text)).rows)

    async def _set_status(
        self, object_name: str, ids: Sequence[str], status: str, **fields: object
    ) -> None:
        if ids:
            rows = [
                {"id": record, "error_status__sys": status, **fields} for record in ids
            ]
            for result in await self._client.update(object_name, rows):
                _require(result.ok, result.errors)


def _message_row(failure: MessageFailure, *, first: bool) -> dict[str, object]:
    row: dict[str, object] = {
        "message_id__sys": failure.message_id,
        "queue__sys": failure.queue,
        "error_type__sys": failure.error_type.value,
        "error_message__sys": failure.text[:MAX_TEXT],
        "error_status__sys": failure.status,
        "message_items_failed__sys": failure.failed,
    }
    if first:
        row["message_body_json__sys"] = failure.body
        row["message_items_received__sys"] = failure.received
    if failure.integration:
        row["integration__sys"] = failure.integration
    if failure.integration_point:
        row["integration_point__sys"] = failure.integration_point
    return row


def _item_row(
    failure: MessageFailure, record: str, item: str, reason: ItemFailure, status: str
) -> dict[str, object]:
    row: dict[str, object] = {
        "item_key__sys": f"{failure.message_id}:{item}",
        "exception_message__sys": record,
        "item__sys": item,
        "error_type__sys": reason.error_type.value,
        "error_message__sys": reason.message[:MAX_TEXT],
        "error_status__sys": status,
        # The record is named, not shown: what it holds may be personal and stays in the source Vault.
        "item_data__sys": orjson.dumps({"object": failure.object, "id": item}).decode(),
    }
    named = (
        ("integration_rule__sys", reason.rule),
        ("field_rule__sys", reason.field_rule),
        ("target_field__sys", reason.target_field),
    )
    # Empty, not absent: an item that fails again may fail elsewhere than before.
    return row | {name: value or "" for name, value in named}


def _require(ok: bool, errors: Sequence[object]) -> None:
    if not ok:
        first = errors[0] if errors else None
        kind, text = (
            getattr(first, "type", "UNEXPECTED_ERROR"),
            getattr(first, "message", "no reason given"),
        )
        raise VaultRefused(kind, f"exception record not taken: {text}")
