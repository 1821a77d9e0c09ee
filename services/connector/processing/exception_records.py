"""Records User Exception Messages and Items, one item for each record that fails at a point, and resolves them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from services.connector.points.evaluation import query_all
from services.connector.processing.exception_rows import (
    ITEM,
    ITEM_KEY,
    MESSAGE,
    MESSAGE_KEY,
    POINT_OF_ITEM,
    STATUS,
    STATUS_OF_MESSAGE,
    item_rows,
    message_row,
    refreshed_item,
    refreshed_message,
    same_cause,
    stored_item,
)
from services.connector.processing.message_failure import (
    ErrorStatus,
    MessageErrorType,
    MessageFailure,
)
from services.connector.processing.work_list import (
    StoredItem,
    StoredMessage,
    work_list,
)
from services.connector.rules.rows import MAX_STATEMENT, contains, literal, statements
from shared.client.client import VaultClient
from shared.client.errors import VaultRefused
from shared.client.results import Row, RowResult, text
from shared.protocol.error_types import ErrorType
from shared.spark.envelope import known_id

MAX_BODY = 32_000
"""Characters of a message body that its record has room for."""
_UNRESOLVED = (ErrorStatus.OPEN, ErrorStatus.RETRYING, ErrorStatus.WARNING)
_IS_UNRESOLVED = contains(STATUS, _UNRESOLVED)
_IS_UNSETTLED = contains(STATUS, (*_UNRESOLVED, ErrorStatus.IGNORED))
"""The condition of an item whose record was not transferred since."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """The result of recording: the number of messages written, and the items that an administrator ignores."""

    messages: int = 0
    ignored: frozenset[str] = frozenset()


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

    async def record(self, failures: Iterable[MessageFailure]) -> Recorded:
        """Create the exception records of these failures, or refresh the existing ones of the same causes.

        A cause is a record's failure at an integration point, whichever message names the record. Ignored exceptions
        are not changed.

        :raises VaultUnavailable: the Vault is away.
        :raises VaultRefused: the Vault refuses an exception record.
        """
        by_id = {failure.message_id: failure for failure in failures}
        if not by_id:
            return Recorded()
        existing = await self._existing(by_id)
        dropped = await self._ignored_whole(by_id, existing)
        ignored = {item for name in dropped for item in by_id.pop(name).items}
        known = await self._known_items(by_id.values())
        found = work_list(by_id.values(), existing, known)
        records = await self._record_messages(found.own, existing)
        await self._refresh_messages(found.refreshed)
        # After their messages, whose record ids they need.
        own = [(records[failure.message_id], failure) for failure in found.own]
        await self._record_items([*own, *found.refreshed], known)
        reopened = [
            records[failure.message_id]
            for failure in found.own
            if failure.whole and failure.message_id in existing
        ]
        await self._open_again(reopened)
        await self._resolve_messages(found.emptied)
        written = len(found.own) + len(found.refreshed)
        return Recorded(written, frozenset(ignored | found.ignored))

    async def _existing(self, message_ids: Iterable[str]) -> dict[str, StoredMessage]:
        """Return the messages that have a record, by message id."""
        head = f"SELECT id, {MESSAGE_KEY}, {STATUS} FROM {MESSAGE}"  # noqa: S608  VQL, literals quoted
        rows = await query_all(self._client, statements(head, MESSAGE_KEY, message_ids))
        return {
            str(row[MESSAGE_KEY]): StoredMessage(str(row["id"]), text(row, STATUS))
            for row in rows
        }

    async def _ignored_whole(
        self,
        by_id: Mapping[str, MessageFailure],
        existing: Mapping[str, StoredMessage],
    ) -> set[str]:
        """Return the ids of ignored messages without items, or that failed as a whole: every failure is ignored."""
        # A second copy of a message does not undo an administrator's decision.
        ignored = {
            stored.id: message_id
            for message_id, stored in existing.items()
            if stored.status == ErrorStatus.IGNORED
        }
        with_items = await self._with_items(ignored, None)
        return {
            message_id
            for record, message_id in ignored.items()
            if by_id[message_id].whole or record not in with_items
        }

    async def _known_items(
        self,
        failures: Iterable[MessageFailure],
    ) -> dict[str, StoredItem]:
        """Return the items of these failures that have an exception already, by item id."""
        places: dict[str, set[str]] = {}
        for failure in failures:
            found = places.setdefault(same_cause(failure), set())
            found.update(failure.items, failure.warnings)
        head = f"SELECT id, item__sys, {MESSAGE}, {STATUS}, {STATUS_OF_MESSAGE} FROM {ITEM}"  # noqa: S608  VQL, literals quoted
        known: dict[str, StoredItem] = {}
        for place, names in places.items():
            condition = f"{_IS_UNSETTLED} AND {place}"
            texts = statements(head, "item__sys", names, conditions=condition)
            for row in await query_all(self._client, texts):
                item = str(row["item__sys"])
                stored = stored_item(row)
                # Former versions recorded an item with each message: one that is not ignored decides.
                if item not in known or not stored.ignored:
                    known[item] = stored
        return known

    async def _record_messages(
        self,
        failures: Iterable[MessageFailure],
        existing: Collection[str],
    ) -> dict[str, str]:
        """Write the records of messages, and return their ids by message id."""
        rows = []
        for failure in failures:
            row = message_row(failure)
            # A retry names only what was left, so the first record of a message keeps its body and its count.
            if failure.message_id not in existing:
                row["message_body_json__sys"] = failure.body
                row["message_items_received__sys"] = failure.received
            rows.append(row)
        if not rows:
            return {}
        results = await self._client.upsert(
            MESSAGE,
            rows,
            id_param=MESSAGE_KEY,
        )
        _require(results)
        written = zip(rows, results, strict=True)
        return {str(row[MESSAGE_KEY]): str(result.id) for row, result in written}

    async def _refresh_messages(
        self,
        refreshed: Sequence[tuple[str, MessageFailure]],
    ) -> None:
        """Write the latest reasons to messages whose items have failed again.

        Their statuses follow from their items.
        """
        # By record: two messages may name items of the same one.
        rows = {
            record: refreshed_message(failure, record) for record, failure in refreshed
        }
        if rows:
            _require(await self._client.update(MESSAGE, list(rows.values())))

    async def _record_items(
        self,
        failures: Sequence[tuple[str, MessageFailure]],
        known: Mapping[str, StoredItem],
    ) -> None:
        """Write failed and warned items, each with the record of its message: known ones by id, new ones by key."""
        rows = [
            (item, row)
            for record, failure in failures
            for item, row in item_rows(failure, record).items()
        ]
        old = [refreshed_item(row, known[item]) for item, row in rows if item in known]
        new = [row for item, row in rows if item not in known]
        if old:
            _require(await self._client.update(ITEM, old))
        if new:
            # By key: of two connectors that find the same record failing, one creates its item.
            _require(await self._client.upsert(ITEM, new, id_param=ITEM_KEY))

    async def _open_again(self, records: Sequence[str]) -> None:
        """Reopen the items that were being retried, of messages that failed before any item was processed."""
        if not records:
            return
        head = f"SELECT id FROM {ITEM}"  # noqa: S608  VQL, literals quoted
        condition = f"{STATUS} = {literal(ErrorStatus.RETRYING)}"
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
            MESSAGE_KEY,
            message_ids,
            conditions=_IS_UNRESOLVED,
        )
        own = await query_all(self._client, texts)
        touched = {str(row["id"]) for row in own}
        if items and point is not None:
            touched |= await self._resolve_items(point, items)
        await self._resolve_messages(touched)

    async def _resolve_messages(self, records: Collection[str]) -> None:
        """Resolve the messages among these records whose items are all resolved."""
        # A message is resolved when its last item is.
        left = set(records) - await self._with_items(records, _IS_UNSETTLED)
        resolved: list[Row] = [{"id": record} for record in sorted(left)]
        await self._set_status(
            MESSAGE, resolved, ErrorStatus.RESOLVED, message_items_failed__sys=0
        )

    async def _resolve_items(
        self,
        point: str,
        items: Collection[str],
    ) -> set[str]:
        """Resolve the items at an integration point, and return the messages that they belong to."""
        # What was ignored, too: when the record fails another time, nobody has seen why.
        condition = f"{_IS_UNSETTLED} AND {POINT_OF_ITEM} = {literal(point)}"
        head = f"SELECT id, item__sys, {MESSAGE} FROM {ITEM}"  # noqa: S608  VQL, literals quoted
        texts = statements(head, "item__sys", items, conditions=condition)
        rows = await query_all(self._client, texts)
        # The key is left to the item of a later failure.
        resolved = [
            {"id": row["id"], ITEM_KEY: f"{point}:{row['item__sys']}:{row['id']}"}
            for row in rows
        ]
        await self._set_status(ITEM, resolved, ErrorStatus.RESOLVED)
        return {str(row[MESSAGE]) for row in rows}

    async def _with_items(
        self,
        messages: Collection[str],
        condition: str | None,
    ) -> set[str]:
        """Return the messages among these records that have items; with a condition, items that meet it."""
        head = f"SELECT id, {MESSAGE} FROM {ITEM}"  # noqa: S608  VQL, literals quoted
        texts = statements(
            head,
            MESSAGE,
            messages,
            conditions=condition,
        )
        rows = await query_all(self._client, texts)
        return {str(row[MESSAGE]) for row in rows}

    async def _any_unresolved(
        self,
        message_ids: Collection[str],
        point: str | None,
    ) -> bool:
        """Return whether any exceptions of these messages or this point may still be unresolved."""
        # Most of the time there is nothing, and one query shows it.
        either = [] if point is None else [f"integration_point__sys = {literal(point)}"]
        # Messages recorded before their integration point was known are found by their id only.
        if message_ids:
            either.append(contains(MESSAGE_KEY, message_ids))
        if not either:
            return False
        condition = f"({' OR '.join(either)}) AND {_IS_UNSETTLED}"
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
        changes = {STATUS: status, **fields}
        rows = [{**record, **changes} for record in records]
        results = await self._client.update(object_name, rows)
        _require(results)


def _require(results: Iterable[RowResult]) -> None:
    """Check that the Vault has accepted all rows.

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
