"""Stores the calls of users for the API usage log: gathered in memory, stored in compressed batches, for 30 days."""

from __future__ import annotations

import asyncio
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

import orjson

from shared.protocol.error_types import ErrorType
from shared.protocol.json_values import date_time_text
from shared.runtime.waiting import end, state_log
from shared.vault.errors import VaultFault
from shared.vault.security.call_limits import SHARING_FAULTS
from shared.vault.storage.database import DatabaseUnavailable

if TYPE_CHECKING:
    from shared.vault.storage.database import Database

RETENTION_DAYS = 30
STORE_SECONDS = 5.0
MAX_WAITING = (
    20_000  # calls in memory: while the database is away, later ones are left out
)
MAX_DAY = 500_000  # calls of one day
MAX_BATCH = 5_000  # calls of one row
NAME = "postgresql (API usage)"

STORE = """
INSERT INTO platform.api_usage_batch (day, calls, content) SELECT $1, $2, $3
WHERE (SELECT coalesce(sum(calls), 0) FROM platform.api_usage_batch WHERE day = $1) < $4
"""
BATCHES = "SELECT id FROM platform.api_usage_batch WHERE day = $1 ORDER BY id"
BATCH = "SELECT content FROM platform.api_usage_batch WHERE id = $1"
NAMES = "SELECT user_id, username FROM platform.credential WHERE user_id = ANY($1::bigint[])"
EXPIRE = "DELETE FROM platform.api_usage_batch WHERE day < $1"

COLUMNS = (
    "timestamp", "session_id", "user_id", "username", "http_method", "endpoint", "http_response_status",
    "api_version", "api_response_status", "api_response_error_type", "execution_id", "client_id", "client_ip",
    "burst_limit_remaining", "duration", "response_delay", "sdk_count", "sdk_cpu_time", "sdk_elasped_time",
    "sdk_gross_memory", "connection", "api_resource", "api_response_warning_type",
    "api_response_warning_message", "api_response_error_message", "reference_id",
)  # fmt: skip
"""The columns of a log, as the public API documents them; those of custom code and of messages are empty here."""


class ApiCall(NamedTuple):
    """One call: its user, its route, and its answer; durations are in milliseconds.

    ``endpoint`` is the route, not the path, since a path may contain names of files and people.
    """

    timestamp: datetime
    session_id: str
    user_id: int
    http_method: str
    endpoint: str
    http_response_status: int
    api_version: str
    api_response_status: str
    api_response_error_type: str
    execution_id: str
    client_id: str
    client_ip: str
    burst_limit_remaining: int
    duration: int
    response_delay: int | None
    connection: str
    api_resource: str
    reference_id: str


PendingCalls = deque[ApiCall]
"""Calls that have been answered and wait to be stored, ``MAX_WAITING`` at most."""

_STORED = ApiCall._fields

Line = Sequence[object]
"""The values of a call in the order of ``COLUMNS``."""


class ApiUsageLog:
    """Stores the calls of some seconds together, and reads the calls of a day.

    A call only adds an entry to ``pending``. The numbers of waiting entries and of stored calls of a day are bounded.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.pending: PendingCalls = deque()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start storing pending calls, until ``stop``."""
        self._task = asyncio.create_task(self._keep_storing(), name="api usage")

    async def stop(self) -> None:
        """Stop storing, after storing the waiting calls unless the database is away."""
        await end(self._task)
        await self._try_to_store()

    async def store(self) -> None:
        """Store the calls that wait."""
        calls = list(self.pending)
        self.pending.clear()
        try:
            async with self._database.connection() as connection:
                for day, of_day in groupby(calls, lambda call: call.timestamp.date()):
                    found = list(of_day)
                    for start in range(0, len(found), MAX_BATCH):
                        part = found[start : start + MAX_BATCH]
                        content = await asyncio.to_thread(_packed, part)
                        await connection.execute(
                            STORE, day, len(part), content, MAX_DAY
                        )
        except BaseException:
            # They are stored the next time, as far as there is room for them.
            room = MAX_WAITING - len(self.pending)
            self.pending.extendleft(reversed(calls[:room]))
            raise

    async def batches(self, day: date) -> list[int]:
        """Return the ids of the batches of a day, in the order of their calls, after storing the waiting ones.

        :raises VaultFault: INVALID_DATA for a day to come, or more than 30 days ago.
        """
        age = datetime.now(UTC).date() - day
        if not timedelta() <= age <= timedelta(days=RETENTION_DAYS):
            message = f"[date] is a day of the last {RETENTION_DAYS}"
            raise VaultFault(ErrorType.INVALID_DATA, message)
        await self.store()
        async with self._database.connection() as connection:
            return [row["id"] for row in await connection.fetch(BATCHES, day)]

    async def lines(self, batch_id: int) -> list[Line]:
        """Return the calls of a batch as lines of the log."""
        async with self._database.connection() as connection:
            content = await connection.fetchval(BATCH, batch_id)
            if content is None:
                return []
            calls = list(_unpacked(content))
            ids = list({call["user_id"] for call in calls})
            rows = await connection.fetch(NAMES, ids)
        names = {row["user_id"]: row["username"] for row in rows}
        return [
            [
                {**call, "username": names.get(call["user_id"])}.get(name)
                for name in COLUMNS
            ]
            for call in calls
        ]

    async def purge(self) -> None:
        """Remove the calls of expired days."""
        oldest = datetime.now(UTC).date() - timedelta(days=RETENTION_DAYS)
        async with self._database.connection() as connection:
            await connection.execute(EXPIRE, oldest)

    async def _keep_storing(self) -> None:
        while True:
            await asyncio.sleep(STORE_SECONDS)
            if self.pending:
                await self._try_to_store()

    async def _try_to_store(self) -> None:
        try:
            await self.store()
        except (*SHARING_FAULTS, DatabaseUnavailable) as error:
            state_log.failed(NAME, error)
        else:
            state_log.succeeded(NAME)


def _packed(calls: Sequence[ApiCall]) -> bytes:
    """Return calls as compressed lines of JSON, each the values of a call."""
    lines = (orjson.dumps((date_time_text(at), *rest)) for at, *rest in calls)
    return zlib.compress(b"\n".join(lines))


def _unpacked(content: bytes) -> Iterator[dict[str, object]]:
    """Yield the calls that ``_packed`` has written, each as values by name."""
    for line in zlib.decompress(content).splitlines():
        yield dict(zip(_STORED, orjson.loads(line), strict=True))
