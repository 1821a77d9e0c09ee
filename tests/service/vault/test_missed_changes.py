"""Runs miss no change: transactions of any length write records and documents while runs read them, in any order."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from services.connector.points.point import Reading
from services.connector.runs.run_reading import next_page
from services.connector.runs.window import Cursor, window
from shared.client.client import VaultClient
from shared.client.results import Clock
from shared.spark.envelope import format_moment
from shared.vault.access.caller import SYSTEM
from shared.vault.assembly.vault import Vault
from shared.vault.documents.document_service import DocumentService
from shared.vault.documents.document_store import Place
from shared.vault.records.record_service import RecordService
from shared.vault.storage.clock import moment
from shared.vault.storage.database import OneTransaction
from tests.service.vault.documenting import created
from tests.service.vault.served import PASSWORD, USERNAMES, Api

if TYPE_CHECKING:
    from shared.vault.storage.database import Connection

WRITERS = 3
READINGS = (
    Reading("records", "late__c"),
    Reading("deletions", "late__c", deleted=True),
    Reading("documents", "documents"),
)
# The entry action gives every new record one key, and refuses the second record of a call: both are undone, and the
# first is stored again.
MDL = """
RECREATE Object late__c ( label('Late'), prefix('ZLA') );
RECREATE Objectlifecycle repeated_lifecycle__c ( label('Repeated'), starting_state('new_state__c'),
  Objectlifecyclestate new_state__c ( label('New'), Objectlifecyclestateentryaction key__c (
    action('set_field'), order(1), field('key__c'), value('same') ) ) );
RECREATE Object repeated__c ( label('Repeated'), prefix('ZRE'), lifecycle('Objectlifecycle.repeated_lifecycle__c'),
  Field key__c ( type('String'), label('Key'), unique(true), max_length(40) ) );
"""
DATES = {
    "records": "SELECT modified_date__v FROM records.late__c WHERE id = $1",
    "deletions": "SELECT date_deleted FROM platform.deletion WHERE object = 'late__c' AND record_id = $1",
    "documents": """SELECT max(version_modified_date__v) FROM records.document_version__sys
        WHERE document_id__sys = $1::text::bigint""",
}

# The lock of a transaction that dated its first change at a moment.
OPEN_SINCE = """
SELECT pg_advisory_xact_lock_shared((ms / 86400000)::integer, (ms % 86400000)::integer), pg_backend_pid() AS pid
FROM (SELECT (extract(epoch FROM $1::timestamptz) * 1000)::bigint AS ms) AS moment
"""

Change = tuple[str, str]
"""The reading that is to list a changed record, and the record's id."""
_numbers = count(1)


@dataclass
class Writer:
    """A transaction that stays open until the story ends it."""

    stack: AsyncExitStack
    connection: Connection
    records: RecordService
    documents: DocumentService
    changes: set[Change] = field(default_factory=set)


@dataclass
class Run:
    """A run that has read the clock, and the changes committed before."""

    clock: Clock
    committed: frozenset[Change]


@dataclass
class Story:
    """A source, its open transactions, and a target; ``unread`` was committed and has not been listed since."""

    vault: Vault
    client: VaultClient
    last_run: datetime
    steady: list[Change]
    writers: dict[int, Writer] = field(default_factory=dict)
    unread: set[Change] = field(default_factory=set)
    run: Run | None = None

    async def writer(self, number: int) -> Writer:
        if number not in self.writers:
            stack = AsyncExitStack()
            connection = await stack.enter_async_context(
                self.vault.database.transaction()
            )
            records = self.vault.records.within(
                OneTransaction(connection), self.vault.components
            )
            documents = copy.copy(self.vault.documents)
            documents._records = records
            self.writers[number] = Writer(stack, connection, records, documents)
        return self.writers[number]

    def free(self, kind: str) -> str | None:
        """A committed record that no open transaction has changed; another one would block."""
        taken = {record for each in self.writers.values() for _, record in each.changes}
        return next(
            (
                record
                for of, record in self.steady
                if of == kind and record not in taken
            ),
            None,
        )

    async def write(self, number: int, action: str) -> None:
        writer = await self.writer(number)
        match action:
            case "create":
                rows = [{"name__v": "late"}]
                (result,) = await writer.records.create(SYSTEM, "late__c", rows)
                assert result.ok, result
                writer.changes.add(("records", str(result.id)))
            case "update":
                if (record := self.free("records")) is not None:
                    values = {"id": record, "name__v": f"late {next(_numbers)}"}
                    (result,) = await writer.records.update(SYSTEM, "late__c", [values])
                    assert result.ok, result
                    writer.changes.add(("records", record))
            case "delete":
                if (record := self.free("records")) is not None:
                    (result,) = await writer.records.delete(
                        SYSTEM, "late__c", [{"id": record}]
                    )
                    assert result.ok, result
                    writer.changes.add(("deletions", record))
            case "document":
                if (record := self.free("documents")) is not None:
                    values = {"title__v": f"late {next(_numbers)}"}
                    await writer.documents.update(SYSTEM, Place(int(record)), values)
                    writer.changes.add(("documents", record))
            case "undone":
                savepoint = writer.connection.transaction()
                await savepoint.start()
                await moment(writer.connection)
                await savepoint.rollback()

    async def end(self, number: int, *, committed: bool) -> None:
        writer = self.writers.pop(number, None)
        if writer is None:
            return
        if not committed:
            with pytest.raises(InterruptedError):
                async with writer.stack:
                    raise InterruptedError
            return
        await writer.stack.aclose()
        self.unread |= writer.changes
        for kind, record in writer.changes:
            if kind == "deletions":
                self.steady.remove(("records", record))
                self.unread.discard(("records", record))
            elif (kind, record) not in self.steady:
                self.steady.append((kind, record))

    async def begin_run(self) -> None:
        clock = await self.client.clock()
        assert clock.complete_until is not None
        await self.check_nothing_is_passed(clock.complete_until)
        self.run = Run(clock, frozenset(self.unread))

    async def end_run(self, *, failed: bool) -> None:
        run, self.run = self.run, None
        if run is None:
            return
        until = datetime.fromisoformat(run.clock.date_time)
        part = window(self.last_run, until, timedelta(0))
        cursor = Cursor()
        while (
            page := await next_page(self.client, READINGS, part, cursor)
        ) is not None:
            cursor = page.following
            self.unread -= {(page.reading.integration_point, each) for each in page.ids}
        assert not self.unread & run.committed, "committed before the run, and not read"
        moves_to = datetime.fromisoformat(run.clock.complete_until or "")
        if not failed and moves_to > self.last_run:
            self.last_run = moves_to
            await self.check_nothing_is_passed(run.clock.complete_until or "")

    async def check_nothing_is_passed(self, told: str) -> None:
        """Check that every uncommitted change is dated at the moment or later."""
        complete_until = datetime.fromisoformat(told)
        for writer in self.writers.values():
            for kind, record in writer.changes:
                dated = await writer.connection.fetchval(DATES[kind], record)
                assert dated >= complete_until, (kind, dated, complete_until)

    async def finish(self) -> None:
        for number in list(self.writers):
            await self.end(number, committed=True)
        await self.begin_run()
        await self.end_run(failed=False)
        assert self.unread == set()

    async def abandon(self) -> None:
        """Undo open transactions after a failed example."""
        for number in list(self.writers):
            await self.end(number, committed=False)


@pytest.fixture(scope="module")
async def documents(admin: Api, user: Api) -> list[str]:
    """The object of these tests, and documents."""
    answer = await admin.post("/api/mdl/execute", data=MDL)
    assert answer.status == "SUCCESS", answer.text
    return [str(await created(user)) for _ in range(WRITERS)]


@pytest.fixture(scope="module")
async def reader(api: Api) -> AsyncIterator[VaultClient]:
    """The connector's client of the source."""
    async with VaultClient(api.url, USERNAMES["admin"], PASSWORD) as client:
        yield client


writers = st.integers(1, WRITERS)
actions = ("create", "update", "delete", "document", "undone")
events = st.one_of(
    st.tuples(st.just("write"), writers, st.sampled_from(actions)),
    st.tuples(st.just("write"), writers, st.sampled_from(actions)),
    st.tuples(st.just("end"), writers, st.sampled_from([True, True, True, False])),
    st.tuples(st.just("begin run")),
    st.tuples(st.just("end run"), st.booleans()),
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(story=st.lists(events, max_size=40))
async def test_what_was_committed_arrives(
    vault: Vault,
    reader: VaultClient,
    documents: list[str],
    story: list[tuple[Any, ...]],
) -> None:
    rows = [{"name__v": "late"}] * WRITERS
    stored = await vault.records.create(SYSTEM, "late__c", rows)
    steady = [("records", str(result.id)) for result in stored]
    steady += [("documents", document) for document in documents]
    begun = datetime.fromisoformat((await reader.clock()).date_time)
    told = Story(vault, reader, begun, steady)
    try:
        for event in story:
            match event:
                case "write", int(writer), str(action):
                    await told.write(writer, action)
                case "end", int(writer), bool(committed):
                    await told.end(writer, committed=committed)
                case ("begin run",):
                    await told.begin_run()
                case _:
                    await told.end_run(failed=event[1])
        await told.finish()
    finally:
        await told.abandon()


async def test_a_record_that_is_stored_again_after_a_savepoint_is_not_passed(
    vault: Vault, reader: VaultClient, documents: list[str]
) -> None:
    del documents
    async with AsyncExitStack() as stack:
        connection = await stack.enter_async_context(vault.database.transaction())
        own = vault.records.within(OneTransaction(connection), vault.components)
        # The entry action leaves the first one as it is, so that it keeps the date with which it was stored.
        rows = [{"name__v": key, "key__c": key} for key in ("same", "other")]
        results = await own.create(SYSTEM, "repeated__c", rows)
        assert [result.ok for result in results] == [True, False], results
        sql = "SELECT modified_date__v FROM records.repeated__c"
        dated = await connection.fetchval(sql)
        clock = await reader.clock()
        assert datetime.fromisoformat(clock.complete_until or "") <= dated


@pytest.mark.parametrize(("minutes", "named"), [(4, False), (60, True)])
async def test_a_transaction_that_stays_open_for_long_is_named(
    vault: Vault, reader: VaultClient, minutes: int, named: bool
) -> None:
    async with vault.database.transaction() as connection:
        since = await moment(connection) - timedelta(minutes=minutes)
        lock = await connection.fetchrow(OPEN_SINCE, since)
        with capture_logs() as lines:
            clock = await reader.clock()
    assert lock is not None
    assert clock.complete_until == format_moment(since)
    processes = [
        line["process"] for line in lines if line["event"] == "changes.held_back"
    ]
    assert processes == ([lock["pid"]] if named else [])
