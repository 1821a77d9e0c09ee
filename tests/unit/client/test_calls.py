"""The client's calls: their requests, their batches, and values read from answers."""

from __future__ import annotations

import asyncio
import builtins
from contextlib import aclosing
from urllib.parse import parse_qsl

import orjson
import pytest
from aiohttp import web

from shared.client import (
    ApiError,
    ExpiredPage,
    Page,
    QueryTimeout,
    RowResult,
    UnexpectedAnswer,
    VaultClient,
    VaultRefused,
    VaultUnavailable,
)
from shared.client.transport import form_body
from tests.unit.client.fake_vault import FaultyVault, success

API = "/api/v25.1"
Rows = list[dict[str, object]]


class Pages:
    """A query result of several pages, fetched one by one."""

    def __init__(self, vault: FaultyVault, sizes: list[int], address: str = "") -> None:
        self.sizes = sizes
        self.address = address or f"{API}/query/cursor"
        self.asked: list[int] = []
        self.fetched = asyncio.Event()
        self.total = sum(sizes)
        vault.on(f"{API}/query", self.first)
        vault.on(f"{API}/query/cursor", self.following)

    async def first(self, request: web.Request) -> web.StreamResponse:
        assert request.method == "POST"
        return self._answer(0)

    async def following(self, request: web.Request) -> web.StreamResponse:
        self.fetched.set()
        return self._answer(int(request.query["page"]))

    def _answer(self, number: int) -> web.Response:
        self.asked.append(number)
        start = sum(self.sizes[:number])
        details: dict[str, object] = {"total": self.total, "size": self.sizes[number]}
        if number + 1 < len(self.sizes):
            details["next_page"] = f"{self.address}?page={number + 1}"
        rows = [{"id": f"V{start + row}"} for row in range(self.sizes[number])]
        return success(
            data=rows,
            responseDetails=details,
            queryDescribe={"object": {"name": "account__v"}},
        )


async def test_a_query_follows_its_pages(
    vault: FaultyVault, client: VaultClient
) -> None:
    pages = Pages(vault, [2, 2, 1])
    result = await client.query(
        "SELECT id FROM account__v WHERE x = 'a&b'", describe=True
    )
    assert [row["id"] for row in result.rows] == ["V0", "V1", "V2", "V3", "V4"]
    assert result.describe == {"object": {"name": "account__v"}}
    first = next(
        request for request in vault.requests if request.path == f"{API}/query"
    )
    assert first.headers["X-VaultAPI-DescribeQuery"] == "true"
    assert first.headers["X-VaultAPI-ClientID"] == "medical-crm-connector"
    assert (await first.post())["q"] == "SELECT id FROM account__v WHERE x = 'a&b'"
    assert pages.asked == [0, 1, 2]


async def test_an_absolute_page_of_the_same_vault_is_followed(
    vault: FaultyVault, client: VaultClient
) -> None:
    Pages(vault, [1, 1], address=f"{vault.url}{API}/query/cursor")
    assert len((await client.query("SELECT id FROM account__v")).rows) == 2


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:9/api/v25.1/query/cursor",
        "https://vault.example.com/api/v25.1/query/cursor",
        "//vault.example.com/query/cursor",
        "query/cursor",
        "http://[broken/query",
        "\\\\vault.example.com/query",
        "javascript:alert(1)",
    ],
)
async def test_a_page_elsewhere_is_not_followed(
    vault: FaultyVault, client: VaultClient, address: str
) -> None:
    Pages(vault, [1, 1], address=address)
    with pytest.raises(UnexpectedAnswer):
        await client.query("SELECT id FROM account__v")
    assert vault.calls[-1][1] == f"{API}/query"


async def test_the_next_page_is_fetched_while_the_last_is_worked_on(
    vault: FaultyVault, client: VaultClient
) -> None:
    pages = Pages(vault, [1, 1, 1, 1])
    seen: list[Page] = []
    async with aclosing(client.query_pages("SELECT id FROM account__v")) as following:
        async for page in following:
            seen.append(page)
            if len(seen) < 4:
                # The caller is busy with this page until the next one has been asked for.
                await pages.fetched.wait()
                pages.fetched.clear()
            assert len(pages.asked) <= len(seen) + 1
    assert [page.rows[0]["id"] for page in seen] == ["V0", "V1", "V2", "V3"]
    assert {page.total for page in seen} == {4}


async def test_leaving_early_gives_the_page_under_way_up(
    vault: FaultyVault, client: VaultClient
) -> None:
    pages = Pages(vault, [1, 1, 1])
    async with aclosing(client.query_pages("SELECT id FROM account__v")) as following:
        async for _ in following:
            await pages.fetched.wait()
            break
    assert pages.asked == [0, 1]


async def test_a_page_that_fails_is_raised_after_the_ones_before(
    vault: FaultyVault, client: VaultClient
) -> None:
    Pages(vault, [1, 1])

    async def fails(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=503)

    vault.on(f"{API}/query/cursor", fails)
    async with aclosing(client.query_pages("SELECT id FROM account__v")) as pages:
        assert (await anext(pages)).rows == [{"id": "V0"}]
        with pytest.raises(VaultUnavailable):
            await anext(pages)


@pytest.mark.parametrize(
    ("page", "type", "expected"),
    [
        ("first", "OPERATION_NOT_ALLOWED", QueryTimeout),
        ("later", "OPERATION_NOT_ALLOWED", QueryTimeout),
        ("later", "INVALID_DATA", ExpiredPage),
        ("later", "MALFORMED_URL", ExpiredPage),
        ("first", "INVALID_DATA", VaultRefused),
        ("first", "MALFORMED_URL", VaultRefused),
        ("later", "INSUFFICIENT_ACCESS", VaultRefused),
    ],
)
async def test_a_refused_page_says_whether_the_query_may_be_run_again(
    vault: FaultyVault,
    client: VaultClient,
    page: str,
    type: str,
    expected: builtins.type[VaultRefused],
) -> None:
    Pages(vault, [1, 1])
    said = {"type": type, "message": "no"}
    path = f"{API}/query" if page == "first" else f"{API}/query/cursor"
    body = {"responseStatus": "FAILURE", "errors": [said]}

    async def refuses(_request: web.Request) -> web.StreamResponse:
        return web.json_response(body)

    vault.on(path, refuses)
    with pytest.raises(VaultRefused) as caught:
        await client.query("SELECT id FROM account__v")
    found = caught.value
    assert found.__class__ is expected
    assert (found.type, found.message) == (type, "no")


@pytest.mark.parametrize(
    "answer",
    [
        {"data": {}},
        {"data": [1]},
        {"data": [], "responseDetails": []},
        {"data": [], "responseDetails": {"total": "1"}},
        {"data": [], "responseDetails": {"next_page": 7}},
        {"data": [], "queryDescribe": "x"},
    ],
)
async def test_a_page_of_another_shape_is_refused(
    vault: FaultyVault, client: VaultClient, answer: dict[str, object]
) -> None:
    async def handler(_request: web.Request) -> web.StreamResponse:
        return success(**answer)

    vault.on(f"{API}/query", handler)
    with pytest.raises(UnexpectedAnswer):
        await client.query("SELECT id FROM account__v")


def keeping_rows(vault: FaultyVault, path: str) -> list[Rows]:
    calls: list[Rows] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        rows = orjson.loads(await request.read())
        calls.append(rows)
        return success(
            data=[
                {
                    "responseStatus": "FAILURE",
                    "errors": [{"type": "INVALID_DATA", "message": "bad"}],
                }
                if row.get("bad")
                else {
                    "responseStatus": "SUCCESS",
                    "data": {"id": row["link__sys"], "event": "created__sys"},
                }
                for row in rows
            ]
        )

    vault.on(path, handler)
    return calls


async def test_an_upsert_is_cut_at_500_and_keeps_the_order(
    vault: FaultyVault, client: VaultClient
) -> None:
    calls = keeping_rows(vault, f"{API}/vobjects/account__v")
    rows: Rows = [{"link__sys": f"L{n}", "bad": n == 700} for n in range(1201)]
    results = await client.upsert("account__v", rows, id_param="link__sys")
    assert [len(call) for call in calls] == [500, 500, 201]
    assert [result.id for result in results if result.ok] == [
        f"L{n}" for n in range(1201) if n != 700
    ]
    assert results[700] == RowResult(
        False, None, None, (ApiError("INVALID_DATA", "bad"),)
    )
    assert results[0] == RowResult(True, "L0", "created__sys")
    assert vault.calls[-1] == ("POST", f"{API}/vobjects/account__v?idParam=link__sys")
    assert vault.requests[-1].headers["Content-Type"] == "application/json"


async def test_create_update_and_delete(
    vault: FaultyVault, client: VaultClient
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        assert orjson.loads(await request.read()) == [{"id": "V1"}]
        return success(
            data=[{"responseStatus": "WARNING", "data": {"id": "V1"}, "warnings": [{}]}]
        )

    vault.on(f"{API}/vobjects/account__v", handler)
    rows: Rows = [{"id": "V1"}]
    expected = [RowResult(True, "V1")]
    assert await client.create("account__v", rows) == expected
    assert await client.update("account__v", rows) == expected
    assert await client.delete("account__v", ["V1"]) == expected
    assert [method for method, path in vault.calls if "vobjects" in path] == [
        "POST",
        "PUT",
        "DELETE",
    ]
    assert await client.upsert("account__v", [], id_param="link__sys") == []


async def test_results_that_do_not_match_the_rows_are_refused(
    vault: FaultyVault, client: VaultClient
) -> None:
    async def handler(_request: web.Request) -> web.StreamResponse:
        return success(data=[])

    vault.on(f"{API}/vobjects/account__v", handler)
    with pytest.raises(UnexpectedAnswer, match="0 results for 1 rows"):
        await client.create("account__v", [{"name__v": "x"}])


@pytest.mark.parametrize(
    "value",
    [
        "SELECT id FROM account__v WHERE id CONTAINS ('V1', 'V2')",
        'a+b&c=d;e%20 %zz #?/\\<>"[]{}|^`~@:$!*.',
        "\t\r\n\x00\x7f",
        "é€𝄞\u2028",
        "",
        "=",
    ],
)
def test_a_form_is_read_as_it_was_sent(value: str) -> None:
    body = form_body({"q": value, "reason__v": "x"})
    fields = parse_qsl(body.decode("ascii"), keep_blank_values=True)
    assert fields == [("q", value), ("reason__v", "x")]


def test_a_form_never_loses_a_character() -> None:
    with pytest.raises(UnicodeEncodeError):
        form_body({"q": "a\ud800b"})


async def test_user_actions(vault: FaultyVault, client: VaultClient) -> None:
    base = f"{API}/vobjects/account__v"

    async def listing(_request: web.Request) -> web.StreamResponse:
        return success(
            data=[{"name": "Objectaction.account__v.sync__v", "label": "Sync"}]
        )

    async def one(request: web.Request) -> web.StreamResponse:
        assert request.content_type == "application/x-www-form-urlencoded"
        assert dict(await request.post()) in ({}, {"reason__v": "x"})
        return success()

    async def many(request: web.Request) -> web.StreamResponse:
        ids = str((await request.post())["ids"]).split(",")
        return success(
            data=[
                {"responseStatus": "SUCCESS", "id": record}
                if record != "V2"
                else {
                    "responseStatus": "FAILURE",
                    "id": record,
                    "errors": [{"type": "INSUFFICIENT_ACCESS"}],
                }
                for record in ids
            ]
        )

    name = "Objectaction.account__v.sync__v"
    vault.on(f"{base}/V1/actions", listing)
    vault.on(f"{base}/V1/actions/{name}", one)
    vault.on(f"{base}/actions/{name}", many)
    assert (await client.actions("account__v", "V1"))[0]["label"] == "Sync"
    await client.run_action("account__v", "V1", name)
    await client.run_action("account__v", "V1", name, {"reason__v": "x"})
    results = await client.run_bulk_action(
        "account__v", [f"V{n}" for n in range(600)], name
    )
    assert [result.id for result in results] == [f"V{n}" for n in range(600)]
    assert [result.id for result in results if not result.ok] == ["V2"]
    assert results[2].errors == (ApiError("INSUFFICIENT_ACCESS", ""),)


async def test_components_queues_and_users(
    vault: FaultyVault, client: VaultClient
) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/execute"):
            assert (await request.read()) == b"DROP Queue q__c;"
            assert request.content_type == "text/plain"
            return success(script_execution={"failures": 0})
        if request.path.endswith("/me"):
            return success(users=[{"user": {"id": 7}}])
        if "metadata" in request.path:
            return success(object={"name": "account__v"})
        return success(data=[{"name": "q__c"}])

    for path in (
        "/api/mdl/execute",
        f"{API}/objects/users/me",
        f"{API}/metadata/vobjects/account__v",
        f"{API}/configuration/Integrationrule",
        f"{API}/services/queues",
        f"{API}/services/queues/q__c",
        f"{API}/services/queues/q__c/actions/enable_delivery",
        f"{API}/services/queues/q__c/actions/disable_delivery",
        f"{API}/services/queues/q__c/actions/reset",
        f"{API}/services/queues/q__c/deliveries",
    ):
        vault.on(path, answer)
    assert (await client.execute_mdl("DROP Queue q__c;"))["script_execution"] == {
        "failures": 0
    }
    assert await client.users_me() == {"id": 7}
    assert await client.object_metadata("account__v") == {"name": "account__v"}
    assert await client.configuration("Integrationrule") == [{"name": "q__c"}]
    assert await client.queues() == [{"name": "q__c"}]
    assert await client.queue("q__c") == {"name": "q__c"}
    await client.set_delivery("q__c", enabled=True)
    await client.set_delivery("q__c", enabled=False)
    await client.reset_queue("q__c")
    await client.report_deliveries("q__c", [{"message_id": "m"}] * 501)
    assert [path for method, path in vault.calls if method == "POST"][-2:] == [
        f"{API}/services/queues/q__c/deliveries"
    ] * 2
    assert [
        path.rsplit("/", 1)[1] for method, path in vault.calls if method == "PUT"
    ] == [
        "enable_delivery",
        "disable_delivery",
        "reset",
    ]
