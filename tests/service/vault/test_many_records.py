"""The cost of a call is independent of the number of records: totals, pages near the end, and ordered pages."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from local.polling import answers_within
from shared.vault import vql
from shared.vault.access.caller import SYSTEM
from shared.vault.access.permissions import readable as readable_by
from shared.vault.admin import list_download, record_pages
from shared.vault.assembly.vault import Vault
from shared.vault.configuration import list_indexes, order_indexes
from shared.vault.queries import queries
from shared.vault.queries.query_pages import Extras
from shared.vault.storage.database import OneTransaction
from shared.vault.vql import compiler
from tests.service.vault import module_vault
from tests.service.vault.browsing import browser
from tests.service.vault.served import Answer, Api

if TYPE_CHECKING:
    from shared.vault.storage.database import Connection

CRATES = "/vobjects/crate__c"
OBJECT = """CREATE Object crate__c (label('Crate'), label_plural('Crates'), prefix('CRT'),
    Field weight__c (label('Weight'), type('Number')), Field open__c (label('Open'), type('Boolean')));
CREATE Object lid__c (label('Lid'), label_plural('Lids'), prefix('LID'),
    Field crate__c (label('Crate'), type('Object'), object('Object.crate__c'), relationship_type('parent'),
        relationship_inbound_name('lids__cr'), relationship_deletion('cascade')));"""
COUNTED = "SELECT sum(change) FROM platform.record_count WHERE object = $1"
DELETE = "DELETE FROM records.crate__c WHERE id = $1"
NUMBER = 30

vault, api = module_vault.vault, module_vault.api
admin, integration = module_vault.admin, module_vault.integration


@pytest.fixture(scope="module", autouse=True)
async def crates(admin: Api, integration: Api) -> None:
    assert (await admin.post("/api/mdl/execute", data=OBJECT)).status == "SUCCESS"
    rows = [
        # Every third has no weight, and weights are not unique.
        {"name__v": f"Crate {n:02}"} | ({"weight__c": n % 7} if n % 3 else {})
        for n in range(NUMBER)
    ]
    made = await integration.post(CRATES, json=rows)
    assert made.status == "SUCCESS", made.text


async def total(api: Api, name: str) -> int:
    answer = await api.query(f"SELECT id FROM {name} PAGESIZE 1")
    found: int = answer.body["responseDetails"]["total"]
    return found


async def counted(vault: Vault, name: str) -> object:
    """The total of an object's records, from the stored count and from counting."""
    async with vault.database.connection() as connection:
        told = await connection.fetchval(COUNTED, name)
        there = await connection.fetchval(f"SELECT count(*) FROM records.{name}")
    assert told == there
    return there


async def test_the_count_follows_what_is_added_removed_and_undone(
    vault: Vault, admin: Api, integration: Api
) -> None:
    before = await total(integration, "lid__c")
    other = (await integration.query("SELECT id FROM crate__c")).data[0]
    (crate,) = (await integration.post(CRATES, json=[{"name__v": "One more"}])).ids
    rows = [{"name__v": f"Lid {n}", "crate__c": crate} for n in range(5)]
    refused = [{"name__v": "Lid", "crate__c": "CRT000000000XXX"}]
    made = await integration.post("/vobjects/lid__c", json=rows + refused)
    assert [row["responseStatus"] for row in made.data].count("SUCCESS") == 5
    assert await total(integration, "lid__c") == before + 5
    gone = await admin.delete(
        "/vobjects/lid__c", json=[{"id": made.data[0]["data"]["id"]}]
    )
    assert gone.status == "SUCCESS", gone.text
    assert await total(integration, "lid__c") == before + 4
    # Those below a record go with it, by a statement of the database's own.
    await admin.delete(CRATES, json=[{"id": crate}])
    assert await total(integration, "lid__c") == before
    assert await counted(vault, "lid__c") == before
    assert await counted(vault, "crate__c") == NUMBER
    async with vault.database.connection() as connection:
        undone = connection.transaction()
        await undone.start()
        await connection.execute(DELETE, other["id"])
        await undone.rollback()
    assert await counted(vault, "crate__c") == NUMBER


async def test_many_statements_at_once_are_counted_and_folded(
    vault: Vault, integration: Api
) -> None:
    before = await total(integration, "lid__c")
    crate = (await integration.query("SELECT id FROM crate__c")).data[0]["id"]
    row = {"name__v": "Lid", "crate__c": crate}

    async def add(_: int) -> Answer:
        return await integration.post("/vobjects/lid__c", json=[row])

    made = [
        each for n in range(15) for each in await asyncio.gather(*map(add, range(10)))
    ]
    assert {answer.status for answer in made} == {"SUCCESS"}
    assert await total(integration, "lid__c") == before + 150
    assert await counted(vault, "lid__c") == before + 150
    async with vault.database.connection() as connection:
        rows = await connection.fetchval(
            "SELECT count(*) FROM platform.record_count WHERE object = 'lid__c'"
        )
    assert rows <= 64


async def test_a_renamed_object_keeps_its_count(
    vault: Vault, admin: Api, integration: Api
) -> None:
    for former, new in (("crate__c", "box__c"), ("box__c", "crate__c")):
        renamed = await admin.post(
            "/api/mdl/execute", data=f"RENAME Object {former} TO {new};"
        )
        assert renamed.status == "SUCCESS", renamed.text
        assert await total(integration, new) == await counted(vault, new) == NUMBER


ORDERS = (
    "",
    "ORDER BY id DESC",
    "ORDER BY weight__c",
    "ORDER BY weight__c DESC, name__v",
    "ORDER BY modified_date__v DESC",
    "ORDER BY created_date__v, name__v DESC",
)


@pytest.mark.parametrize("order", ORDERS)
async def test_a_page_is_the_same_from_either_end(
    integration: Api, monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    text = f"SELECT id, name__v, weight__c FROM crate__c {order}"
    # No condition of a statement that leaves records out, but one: then no number of records is known.
    whole = (
        await integration.query(
            f"{text.replace('crate__c ', 'crate__c WHERE id != null ')}"
        )
    ).data
    assert len(whole) == NUMBER
    monkeypatch.setattr(queries, "FAR", 3)
    for offset in range(0, NUMBER + 4, 3):
        page = await integration.query(f"{text} PAGESIZE 4 PAGEOFFSET {offset}")
        assert page.data == whole[offset : offset + 4]
        assert page.body["responseDetails"]["total"] == NUMBER
    first = await integration.query(f"{text} PAGESIZE 4")
    address = first.body["responseDetails"]["next_page"]
    for offset in (28, 4, 16, 24, 40):
        page = await integration.get(
            address.replace("pageoffset=4", f"pageoffset={offset}")
        )
        assert page.data == whole[offset : offset + 4]


@pytest.mark.parametrize(
    ("condition", "total", "is_counted"),
    [("", NUMBER, True), ("WHERE weight__c >= 0", 11, False)],
)
async def test_who_does_not_ask_for_a_number_has_none_counted(
    vault: Vault, crates: None, condition: str, total: int, is_counted: bool
) -> None:
    text = f"SELECT id FROM crate__c {condition} PAGESIZE 11"
    page = await vault.queries.run(
        SYSTEM, text, version_path="v25.1", extras=Extras(counted=False)
    )
    assert (page.total, page.counted, page.next_page) == (total, is_counted, None)


class CountedConnections(OneTransaction):
    """A database of one connection that counts how often it is taken."""

    taken = 0

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        self.taken += 1
        async with super().connection() as connection:
            yield connection


@pytest.mark.parametrize(
    ("query", "total", "sent"),
    [
        # The number of all records comes with the first of them; what is counted is counted apart.
        ("SELECT id FROM crate__c PAGESIZE 5", NUMBER, 2),
        ("SELECT id FROM crate__c ORDER BY name__v PAGESIZE 5", NUMBER, 2),
        ("SELECT id FROM crate__c WHERE weight__c >= 0 PAGESIZE 5", 20, 3),
        # One page needs neither a number nor a cursor.
        ("SELECT id FROM crate__c", NUMBER, 1),
        # Behind the last record there is no row to tell it.
        (f"SELECT id FROM crate__c PAGESIZE 5 PAGEOFFSET {NUMBER}", NUMBER, 3),
    ],
)
async def test_a_page_and_its_total_are_one_statement(
    vault: Vault, crates: None, query: str, total: int, sent: int
) -> None:
    statements: list[str] = []
    async with vault.database.connection() as connection:
        within = CountedConnections(connection)
        service = queries.QueryService(within, vault.components)
        with connection.query_logger(lambda each: statements.append(each.query)):
            page = await service.run(SYSTEM, query, version_path="v25.1")
    assert page.total == total
    assert within.taken == 1
    assert len(statements) == sent, statements


@pytest.mark.parametrize("search", ["", "crate"])
async def test_a_list_says_how_many_there_are_when_that_is_known(
    api: Api,
    monkeypatch: pytest.MonkeyPatch,
    search: str,
) -> None:
    monkeypatch.setattr(record_pages, "PAGE_SIZE", 6)
    monkeypatch.setattr(list_download, "READ_ROWS", 7)
    async with browser(api.url, "admin") as visitor:
        page = await visitor.open("/ui/objects/crate__c")
        if search:
            page = await visitor.press(page, "Search", q=search)
        assert "1 to 6 of 30" in page.text
        table = await visitor.request("GET", page.links["CSV"])
        assert len(table.body.decode().splitlines()) == 1 + NUMBER
        for _ in range(4):
            page = await visitor.click(page, "Next")
        assert "Next" not in page.links
        assert "25 to 30 of 30" in page.text


async def test_a_user_downloads_one_list_at_a_time(
    api: Api, admin: Api, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_download, "WAIT_SECONDS", 0.01)
    (me,) = (await admin.get("/objects/users/me")).body["users"]
    user_id = me["user"]["id"]
    async with browser(api.url, "admin") as visitor:
        address = (await visitor.open("/ui/objects/crate__c")).links["CSV"]
        await vault.list_downloads.enter(user_id, 1)
        refused = await visitor.request("GET", address)
        vault.list_downloads.leave(user_id)
        allowed = await visitor.request("GET", address)
    assert "Other lists are being downloaded" in refused.text
    assert allowed.body.startswith(b"id,")


@pytest.mark.parametrize("most", [7, 10, 30])
async def test_a_download_has_the_first_records_up_to_its_bound(
    api: Api, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(list_download, "READ_ROWS", 7)
    monkeypatch.setattr(list_download, "MAX_DOWNLOADED", most)
    async with browser(api.url, "admin") as visitor:
        table = await visitor.request("GET", "/ui/objects/crate__c?format=csv")
    assert len(table.body.decode().splitlines()) == 1 + most


INDEXES = """
SELECT indexdef FROM pg_indexes WHERE schemaname = 'records' AND tablename = 'crate__c' AND indexname ~ '_(asc|desc)$'
"""


@pytest.fixture
async def many(monkeypatch: pytest.MonkeyPatch, vault: Vault) -> AsyncIterator[None]:
    """Lower the bound from which records count as many."""
    monkeypatch.setattr(order_indexes, "MANY_RECORDS", NUMBER)
    yield
    async with vault.database.connection() as connection:
        await connection.execute("TRUNCATE platform.ordered_field")
        await connection.execute("TRUNCATE platform.listed_condition")
    vault.search_indexes.wake()


async def becomes(vault: Vault, wanted: list[str]) -> None:
    async def ask() -> str | None:
        async with vault.database.connection() as connection:
            rows = await connection.fetch(INDEXES)
        found = {row["indexdef"].rpartition(" btree ")[2] for row in rows}
        return None if found == set(wanted) else str(found)

    assert await answers_within(60, ask) is None


async def test_a_field_that_many_records_are_ordered_by_gets_an_index(
    vault: Vault, admin: Api, integration: Api, many: None
) -> None:
    # What has an index already, or sorts by more than the field itself, gets none.
    for order in ("id DESC", "modified_date__v DESC", "TOLABEL(status__v)"):
        await integration.query(f"SELECT id FROM crate__c ORDER BY {order} PAGESIZE 5")
    for order in ("weight__c", "weight__c DESC, name__v", "name__v"):
        await integration.query(f"SELECT id FROM crate__c ORDER BY {order} PAGESIZE 5")
    weight, name = "(weight__c{}, id)", "(name__v, id)"
    both = [weight.format(""), weight.format(" DESC NULLS LAST")]
    await becomes(vault, [name, *both])
    # The index of a field goes with it; a renamed one has it again.
    changed = await admin.post(
        "/api/mdl/execute",
        data="ALTER Object crate__c (RENAME Field weight__c TO mass__c);",
    )
    assert changed.status == "SUCCESS", changed.text
    await becomes(vault, [name])
    await admin.post(
        "/api/mdl/execute",
        data="ALTER Object crate__c (RENAME Field mass__c TO weight__c);",
    )
    await becomes(vault, [name, *both])


DATED = {
    "an order": "SELECT id FROM crate__c ORDER BY modified_date__v DESC PAGESIZE 5",
    "a bound": "SELECT id FROM crate__c WHERE modified_date__v >= '2000-01-01T00:00:00.000Z'",
    "the caller's latest": "SELECT id FROM RECENT crate__c",
}


@pytest.mark.parametrize("text", DATED.values(), ids=DATED)
async def test_many_records_that_are_read_by_date_get_an_index(
    vault: Vault, monkeypatch: pytest.MonkeyPatch, many: None, text: str
) -> None:
    monkeypatch.setattr(order_indexes, "MANY_DATED", NUMBER)
    # One that has not yet noted anything today.
    noted = order_indexes.OrderedFields(vault.database, vault.search_indexes.wake)
    service = queries.QueryService(
        vault.database, vault.components, ordered_fields=noted
    )
    shown = "SELECT id, modified_date__v FROM crate__c"
    await service.run(SYSTEM, shown, version_path="v25.1")
    await becomes(vault, [])
    await service.run(SYSTEM, text, version_path="v25.1")
    await becomes(vault, ["(modified_date__v, id)"])


def test_objects_are_read_by_date_whose_dates_a_condition_compares() -> None:
    matching = (
        ' FROM records."a__c" t0 LEFT JOIN records."b__c" t1 ON t1."id" = t0."b__c" WHERE t0."id" IN (SELECT t2."a__c"'
        ' FROM records."c__c" t2 WHERE t2."modified_date__v" > $1::timestamptz) AND t1."modified_date__v" < now()'
    )
    assert order_indexes.dated_objects(matching) == {"b__c", "c__c"}
    assert order_indexes.dated_objects(' FROM records."a__c" t0') == set()


PALLETS = """CREATE Object pallet__c (label('Pallet'), label_plural('Pallets'), prefix('PLT'),
    Field full__c (label('Full'), type('Boolean')), Field crate__c (label('Crate'), type('String'), max_length(10)));"""
MADE = """
INSERT INTO records.pallet__c (id, global_id__sys, name__v, status__v, full__c, crate__c, created_by__v,
    created_date__v, modified_by__v, modified_date__v)
SELECT 'PLT' || lpad(n::text, 12, '0'), 'pallet-' || n, 'Pallet', 'active__v', n % 2 = 0, n % 7, 1, now(), 1,
    now() - n * interval '1 second'
FROM generate_series($1::integer, $2::integer) AS n
"""
LIST_INDEXES = """
SELECT indexdef FROM pg_indexes WHERE tablename = 'pallet__c' AND indexname ~ '_list$'
"""
PALLET = "SELECT id, name__v FROM pallet__c"
NEWEST = "ORDER BY modified_date__v DESC"
# By what a list is narrowed, and the index that it gets of it; of the terms in brackets nothing is kept.
NARROWED = {
    "status__v = 'inactive__v'": "(modified_date__v DESC, id) WHERE (status__v = 'inactive__v'::text)",
    "status__v != 'active__v'": "(modified_date__v DESC, id) WHERE (status__v IS DISTINCT FROM 'active__v'::text)",
    "status__v = null AND [name__v >= 'A']": "(modified_date__v DESC, id) WHERE (status__v IS NULL)",
    "full__c = true AND status__v = 'inactive__v'": "(modified_date__v DESC, id)"
    " WHERE ((full__c = true) AND (status__v = 'inactive__v'::text))",
    "created_by__v = 7 AND status__v CONTAINS ('inactive__v')": "(created_by__v, modified_date__v DESC, id)"
    " WHERE (status__v = ANY (ARRAY['inactive__v'::text]))",
    "crate__c = 'none'": "(crate__c, modified_date__v DESC, id)",
}
# What gets none: values that nobody has declared, and those that the first records of the order have.
COMMON = (
    "status__v = 'unheard_of__c'",
    "status__v = 'active__v'",
    "full__c = false",
    "global_id__sys = 'pallet-7'",
    "name__v LIKE 'x%'",
)


def sent_for(text: str) -> str:
    """A list's statement, without the marks of what no index has."""
    return f"{PALLET} WHERE {text} {NEWEST} PAGESIZE 10".translate(BARE)


readable = readable_by(SYSTEM)
BARE = str.maketrans("", "", "[]")


async def passed(vault: Vault, text: str) -> int:
    """How many records, and entries of indexes, are read for one page of a list."""
    registry = vault.components.registry
    statement, values = vql.compile_query(vql.parse(text), registry, readable).page()
    explained = f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement}"
    async with vault.database.connection() as connection:
        plan = json.loads(await connection.fetchval(explained, *values))
    nodes = [plan[0]["Plan"]]
    for node in nodes:
        nodes += node.get("Plans", [])
    counts = ("Actual Rows", "Rows Removed by Filter")
    return sum(int(node.get(name, 0)) for node in nodes for name in counts)


async def test_a_list_that_few_of_many_records_meet_reads_those_alone(
    vault: Vault, admin: Api, monkeypatch: pytest.MonkeyPatch, many: None
) -> None:
    monkeypatch.setattr(list_indexes, "FULL", 10)
    monkeypatch.setattr(list_indexes, "PASSED", 100)
    made = await admin.post("/api/mdl/execute", data=PALLETS)
    assert made.status == "SUCCESS", made.text
    async with vault.database.connection() as connection:
        await connection.execute(MADE, 1, 3_000)
        await connection.execute("ANALYZE records.pallet__c")
    texts = {sent_for(text): index for text, index in NARROWED.items()}
    assert all([await passed(vault, text) >= 3_000 for text in texts])
    extras = Extras(counted=False)
    for text in (*texts, *map(sent_for, COMMON)):
        await vault.queries.run(SYSTEM, text, version_path="v25.1", extras=extras)

    async def built() -> str | None:
        async with vault.database.connection() as connection:
            rows = await connection.fetch(LIST_INDEXES)
        found = {row["indexdef"].rpartition(" btree ")[2] for row in rows}
        return None if found == set(texts.values()) else str(found)

    assert await answers_within(60, built) is None
    assert [await passed(vault, text) for text in texts] == [0] * len(texts)
    # Neither do they grow with the records, nor with how often they are asked.
    async with vault.database.connection() as connection:
        await connection.execute(MADE, 3_001, 9_000)
        await connection.execute("ANALYZE records.pallet__c")
    assert [await passed(vault, text) for text in texts] == [0] * len(texts)


async def test_a_list_is_planned_for_its_values_each_time(
    vault: Vault, crates: None
) -> None:
    text = "SELECT id FROM crate__c WHERE weight__c = {} ORDER BY name__v"
    extras = Extras(counted=False)
    async with vault.database.connection() as connection:
        service = queries.QueryService(OneTransaction(connection), vault.components)
        for weight in range(8):
            asked = text.format(weight)
            await service.run(SYSTEM, asked, version_path="v25.1", extras=extras)
        rows = await connection.fetch(
            "SELECT statement, generic_plans FROM pg_prepared_statements"
        )
    general = [row["statement"] for row in rows if row["generic_plans"]]
    assert not [each for each in general if '"weight__c" = ' in each]


async def test_a_search_ranks_its_first_hits_and_says_so(
    vault: Vault, api: Api, crates: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def found(size: int, offset: int = 0) -> tuple[list[str], int, bool, bool]:
        text = f"SELECT id FROM crate__c FIND ('crate') PAGESIZE {size} PAGEOFFSET {offset}"
        # Statements are compiled once, and have the bound in them.
        service = queries.QueryService(vault.database, vault.components)
        extras = Extras(counted=False, first_hits=True)
        page = await service.run(SYSTEM, text, version_path="v25.1", extras=extras)
        ids = [row["id"] for row in page.rows]
        return ids, page.total, page.counted, page.more_hits

    everything, *said = await found(NUMBER + 1)
    assert (len(everything), said) == (NUMBER, [NUMBER, True, False])
    # It is known how many there are, as far as they are looked at.
    assert await found(7, 7) == (everything[7:14], NUMBER, True, False)
    monkeypatch.setattr(compiler, "RANKED", 10)
    first, *said = await found(6)
    assert (len(first), said) == (6, [6, False, True])
    last, *said = await found(6, 6)
    assert (len(last), said) == (4, [10, False, True])
    assert await found(6, 12) == ([], 12, False, False)
    assert len({*first, *last}) == 10
    monkeypatch.setattr(record_pages, "PAGE_SIZE", 6)
    async with browser(api.url, "admin") as visitor:
        page = await visitor.open("/ui/objects/crate__c")
        page = await visitor.press(page, "Search", q="crat")
        assert "1 to 6 of many" in page.text
        assert "More than 1,000 records match" in page.text
        # A file of the list has all of them nevertheless.
        table = await visitor.request("GET", page.links["CSV"])
        assert len(table.body.decode().splitlines()) == 1 + NUMBER
        page = await visitor.click(page, "Next")
        assert "7 to 10 of many" in page.text
        assert "Next" not in page.links
