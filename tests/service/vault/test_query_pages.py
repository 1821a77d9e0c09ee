"""Pages: of sub-selects, by older names, across a restart; and the limits of a query."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from local.polling import answers_within
from services.medical_vault.definition import MEDICAL_VAULT
from shared.protocol.error_types import ErrorType
from shared.vault.access.caller import SYSTEM
from shared.vault.assembly.vault import Vault
from shared.vault.errors import VaultFault
from shared.vault.process.application import create_app
from shared.vault.queries.cursors import Cursor
from shared.vault.queries.queries import QueryService
from shared.vault.storage.database import Database
from shared.vault.storage.fair_slots import QueryLimits
from tests.service.vault.served import Answer, Api, served

MDL = r"""
RECREATE Object shelf__c ( label('Shelf'), prefix('ZSH'),
  Field key__c ( type('String'), label('Key'), unique(true), max_length(40) ) );
RECREATE Object book__c ( label('Book'), prefix('ZBO'),
  Field key__c ( type('String'), label('Key'), unique(true), max_length(40) ),
  Field shelf__c ( type('Object'), label('Shelf'), object('Object.shelf__c'), relationship_type('reference'),
    relationship_inbound_name('books__cr') ) );
"""
BOOKS = 620
COMMIT = "SHOW synchronous_commit"
SUBSELECT = "(SELECT id, key__c FROM books__cr WHERE key__c != 'x' ORDER BY key__c)"


@pytest.fixture(scope="module", autouse=True)
async def books(admin: Api, integration: Api) -> None:
    answer = await admin.post("/api/mdl/execute", data=MDL)
    assert answer.status == "SUCCESS", answer.text
    shelves = [{"key__c": f"S-{n}", "name__v": f"Shelf {n}"} for n in range(3)]
    assert (
        await integration.post("/vobjects/shelf__c?idParam=key__c", json=shelves)
    ).status == "SUCCESS"
    rows = [
        {
            "key__c": f"B-{n:04}",
            "name__v": f"Book {n}",
            "shelf__cr.key__c": f"S-{0 if n < BOOKS else 1}",
        }
        for n in range(BOOKS + 2)
    ]
    for start in range(0, len(rows), 500):
        answer = await integration.post(
            "/vobjects/book__c?idParam=key__c", json=rows[start : start + 500]
        )
        assert all(row["responseStatus"] == "SUCCESS" for row in answer.data), (
            answer.text
        )


def details(answer: Answer) -> dict[str, Any]:
    found: dict[str, Any] = answer.body["responseDetails"]
    return found


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_all_children_of_a_record_can_be_had(
    integration: Api, admin: Api, method: str
) -> None:
    answer = await integration.query(
        f"SELECT key__c, {SUBSELECT} FROM shelf__c ORDER BY key__c"
    )
    assert "next_page" not in details(answer)
    first, second, third = (row["books__cr"] for row in answer.data)
    assert (second["responseDetails"]["total"], third["responseDetails"]["total"]) == (
        2,
        0,
    )
    assert "next_page" not in second["responseDetails"]
    assert {
        name: first["responseDetails"][name]
        for name in ("pagesize", "pageoffset", "size", "total")
    } == {
        "pagesize": 250,
        "pageoffset": 0,
        "size": 250,
        "total": BOOKS,
    }
    seen = [row["key__c"] for row in first["data"]]
    next_page = first["responseDetails"]["next_page"]
    assert (await admin.call(method, next_page)).error == "INVALID_DATA"
    page = answer
    while next_page is not None:
        page = await integration.call(method, next_page)
        assert details(page)["total"] == BOOKS
        seen += [row["key__c"] for row in page.data]
        next_page = details(page).get("next_page")
    assert seen == [f"B-{n:04}" for n in range(BOOKS)]
    back = await integration.call(method, details(page)["previous_page"])
    assert (details(back)["pageoffset"], details(back)["size"]) == (250, 250)


async def test_pages_of_records_and_of_their_children(integration: Api) -> None:
    text = f"SELECT key__c, {SUBSELECT[:-1]} PAGESIZE 100) FROM shelf__c ORDER BY key__c PAGESIZE 1"
    first = await integration.query(text)
    children = await integration.get(
        first.data[0]["books__cr"]["responseDetails"]["next_page"]
    )
    assert [row["key__c"] for row in children.data[:2]] == ["B-0100", "B-0101"]
    second = await integration.get(details(first)["next_page"])
    assert (
        second.data[0]["key__c"],
        second.data[0]["books__cr"]["responseDetails"]["size"],
    ) == ("S-1", 2)
    again = await integration.get(details(second)["previous_page"])
    assert again.data[0]["books__cr"] == first.data[0]["books__cr"]
    assert "previous_page" not in details(again)


@pytest.mark.parametrize(
    "suffix", [".0", ".0.", ".1.X", ".x.Y", ".-1.X", ".0.a'b", ".0.0.0"]
)
async def test_addresses_that_no_page_gave(integration: Api, suffix: str) -> None:
    first = await integration.query(
        f"SELECT key__c, {SUBSELECT} FROM shelf__c ORDER BY key__c"
    )
    address = first.data[0]["books__cr"]["responseDetails"]["next_page"].partition("?")[
        0
    ]
    cursor = address.partition(".0.")[0]
    answer = await integration.get(f"{cursor}{suffix}")
    assert answer.status == "FAILURE" or answer.data == []


async def test_a_page_in_the_midst_leads_both_ways(integration: Api) -> None:
    answer = await integration.query(
        "SELECT key__c FROM book__c ORDER BY key__c PAGESIZE 100 PAGEOFFSET 200"
    )
    before = await integration.get(details(answer)["previous_page"])
    behind = await integration.get(details(answer)["next_page"])
    starts = [page.data[0]["key__c"] for page in (before, answer, behind)]
    assert starts == ["B-0100", "B-0200", "B-0300"]
    assert details(answer)["total"] == BOOKS + 2


async def test_older_versions_have_older_names(integration: Api) -> None:
    older = replace(integration, version="v20.2")
    answer = await older.query(
        "SELECT key__c FROM book__c ORDER BY key__c LIMIT 100 OFFSET 100"
    )
    assert {
        name: details(answer)[name] for name in ("limit", "offset", "size", "total")
    } == {
        "limit": 100,
        "offset": 100,
        "size": 100,
        "total": BOOKS + 2,
    }
    following = await older.get(details(answer)["next_page"])
    assert (following.data[0]["key__c"], details(following)["offset"]) == (
        "B-0200",
        200,
    )


async def test_a_cursor_outlives_the_process(vault: Vault, integration: Api) -> None:
    first = await integration.query(
        "SELECT key__c FROM book__c WHERE created_date__v <= TODAY PAGESIZE 300"
    )
    seen = [row["key__c"] for row in first.data]
    async with served(create_app(Vault(MEDICAL_VAULT, vault.settings))) as other:
        restarted = replace(integration, http=other.http, url=other.url)
        await started_again(restarted)
        next_page: str | None = details(first)["next_page"]
        while next_page is not None:
            page = await restarted.get(next_page)
            seen += [row["key__c"] for row in page.data]
            next_page = details(page).get("next_page")
    assert len(seen) == len(set(seen)) == BOOKS + 2


async def test_only_a_new_cursor_does_not_wait_for_the_disk(vault: Vault) -> None:
    cursor = Cursor(uuid4(), "SELECT id FROM book__c", 622, datetime.now(UTC), {})
    cursors = vault.queries.cursors
    async with vault.database.connection() as connection:
        await connection.execute("SET synchronous_commit = on")
        try:
            async with connection.transaction():
                await cursors.open(connection, SYSTEM, cursor)
                assert await connection.fetchval(COMMIT) == "off"
            # Later transactions of the session wait again, also those with the places of its pages.
            async with connection.transaction():
                await cursors.record_served(connection, cursor, {"300": "ZBO1"})
                assert await connection.fetchval(COMMIT) == "on"
        finally:
            await connection.execute("RESET synchronous_commit")
    found = await cursors.find(SYSTEM, cursor.id)
    assert (found.total, found.positions) == (622, {"300": "ZBO1"})


async def started_again(api: Api) -> None:
    for _ in range(600):
        if (await api.get("/objects/users/me")).http_status == 200:
            return
        await asyncio.sleep(0.05)
    raise AssertionError


@pytest.fixture
async def impatient(vault: Vault, integration: Api) -> AsyncIterator[QueryService]:
    """The queries of the Vault in a process with a time limit of a fifth of a second."""
    database = Database(
        vault.settings.database_dsn.get_secret_value(),
        limits=QueryLimits(concurrent=1, wait_seconds=0, timeout_seconds=0.2),
    )
    await database.open()
    yield QueryService(database, vault.components)
    await database.close()


async def test_a_query_that_takes_too_long_is_stopped(
    vault: Vault, impatient: QueryService
) -> None:
    dsn = vault.settings.database_dsn.get_secret_value()
    holder: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(dsn)
    try:
        async with holder.transaction():
            await holder.execute("LOCK TABLE records.book__c IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(
                VaultFault, match=r"stopped after 0.2 seconds \[query timeout\]"
            ) as stopped:
                await impatient.run(
                    SYSTEM, "SELECT id FROM book__c", version_path="v25.1"
                )
            assert stopped.value.error.type is ErrorType.OPERATION_NOT_ALLOWED
    finally:
        await holder.close()
    text = "SELECT id FROM book__c MAXROWS 1"

    async def answered() -> str | None:
        try:
            page = await impatient.run(SYSTEM, text, version_path="v25.1")
        except VaultFault as fault:
            # A server that is busy takes longer than this process waits.
            return str(fault)
        return None if page.size == 1 else f"{page.size} rows"

    assert await answers_within(60, answered) is None


async def test_one_query_too_many_is_refused(
    vault: Vault, impatient: QueryService
) -> None:
    dsn = vault.settings.database_dsn.get_secret_value()
    holder: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(dsn)
    try:
        async with holder.transaction():
            await holder.execute("LOCK TABLE records.book__c IN ACCESS EXCLUSIVE MODE")
            runs = [
                impatient.run(SYSTEM, "SELECT id FROM book__c", version_path="v25.1")
                for _ in range(3)
            ]
            faults = await asyncio.gather(*runs, return_exceptions=True)
    finally:
        await holder.close()
    types = [fault.error.type for fault in faults if isinstance(fault, VaultFault)]
    assert types == [
        ErrorType.OPERATION_NOT_ALLOWED,
        ErrorType.API_LIMIT_EXCEEDED,
        ErrorType.API_LIMIT_EXCEEDED,
    ]


async def test_more_queries_than_run_at_once_are_all_answered(integration: Api) -> None:
    answers = await asyncio.gather(
        *(integration.query("SELECT id FROM shelf__c") for _ in range(20))
    )
    assert {(answer.status, len(answer.data)) for answer in answers} == {("SUCCESS", 3)}


async def test_the_longest_text_is_answered_and_the_next_one_refused(
    integration: Api,
) -> None:
    head, tail = "SELECT id FROM shelf__c WHERE key__c CONTAINS ('", "')"
    longest = head + "x" * (50_000 - len(head) - len(tail)) + tail
    assert (await integration.query(longest)).data == []
    assert (
        await integration.query(longest.replace("xx", "xxx", 1))
    ).error == "INVALID_DATA"


async def test_cursors_that_nobody_used_for_long_are_removed(
    vault: Vault, admin: Api
) -> None:
    old, recent = [
        details(await admin.query("SELECT id FROM book__c PAGESIZE 10"))["next_page"]
        for _ in range(2)
    ]
    ids = [page.rpartition("/")[2].partition("?")[0] for page in (old, recent)]
    count = "SELECT count(*) FROM platform.query_cursor WHERE id = ANY($1::uuid[])"
    async with vault.database.connection() as connection:
        long_ago = "UPDATE platform.query_cursor SET created_date = now() - interval '73 hours' WHERE id = $1::uuid"
        await connection.execute(long_ago, ids[0])
        assert (await admin.get(old)).error == "INVALID_DATA"
        await vault.queries.cursors.purge()
        assert await connection.fetchval(count, ids) == 1
    assert (await admin.get(recent)).status == "SUCCESS"


async def test_the_total_stays_while_others_write(integration: Api, admin: Api) -> None:
    text = "SELECT key__c FROM book__c PAGESIZE 100"
    first = await integration.query(text)
    row = {"name__v": "late", "key__c": "B-late"}
    (late,) = (await integration.post("/vobjects/book__c", json=[row])).ids
    second = await integration.get(details(first)["next_page"])
    gone = await admin.delete("/vobjects/book__c", json=[{"id": late}])
    assert gone.data[0]["responseStatus"] == "SUCCESS"
    third = await integration.get(details(second)["next_page"])
    totals = {details(page)["total"] for page in (first, second, third)}
    assert totals == {BOOKS + 2}
