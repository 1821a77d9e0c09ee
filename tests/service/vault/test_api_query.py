"""Queries through the public API: pages, descriptions, and faults that name their place."""

from __future__ import annotations

from xml.etree.ElementTree import Element, fromstring

import pytest

from tests.service.vault.served import Answer, Api

ROWS = 25


@pytest.fixture(scope="module", autouse=True)
async def rows(integration: Api) -> None:
    """Records that only these tests query."""
    things = [
        {"name__v": f"query {i:02}", "key__c": f"Q-{i:02}", "note__c": "queried"}
        for i in range(ROWS)
    ]
    assert (
        await integration.post("/vobjects/thing__c?idParam=key__c", json=things)
    ).status == "SUCCESS"


QUERY = "SELECT id, key__c FROM thing__c WHERE note__c = 'queried' ORDER BY key__c ASC"


async def test_one_page(integration: Api) -> None:
    answer = await integration.query(QUERY)
    assert answer.status == "SUCCESS"
    assert answer.body["responseDetails"] == {
        "pagesize": 1000,
        "pageoffset": 0,
        "size": ROWS,
        "total": ROWS,
    }
    assert [row["key__c"] for row in answer.data] == [f"Q-{i:02}" for i in range(ROWS)]


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/query"), ("POST", "/query"), ("POST", "/query/components")],
)
async def test_the_statement_may_stand_in_the_address(
    integration: Api, method: str, path: str
) -> None:
    if path == "/query":
        wanted, statement = ROWS, QUERY
    else:
        name = "component_name__v"
        statement = f"SELECT {name} FROM vault_component__v WHERE {name} = 'thing__c'"
        wanted = 1
    answer = await integration.call(method, path, params={"q": statement})
    assert answer.body["responseDetails"]["size"] == wanted
    missing = await integration.call(method, path, params={"q": " "})
    assert missing.error == "PARAMETER_REQUIRED"


def xml(answer: Answer) -> Element:
    return fromstring(answer.text)  # noqa: S314  our own text


async def test_answers_are_written_in_xml_for_those_who_want_it(
    integration: Api,
) -> None:
    wanted = {"Accept": "application/xml"}
    answer = await integration.query(f"{QUERY} PAGESIZE 10", headers=wanted)
    assert answer.headers["Content-Type"] == "application/xml;charset=UTF-8"
    root = xml(answer)
    rows = [row.findtext("key__c") for row in root.findall("data/row")]
    assert rows == [f"Q-{i:02}" for i in range(10)]
    assert root.findtext("responseDetails/total") == str(ROWS)
    refused = await integration.query("SELECT", headers=wanted)
    assert refused.headers["X-VaultAPI-Status"] == "FAILURE"
    problem = xml(refused).find("errors/error")
    assert problem is not None
    assert problem.findtext("type") == "INCORRECT_QUERY_SYNTAX_ERROR"
    unknown = await integration.get("/nothing", headers=wanted)
    assert xml(unknown).findtext("responseStatus") == "FAILURE"


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_pages_follow_each_other_and_lead_back(
    integration: Api, method: str
) -> None:
    answer = await integration.query(f"{QUERY} PAGESIZE 10")
    seen = [row["key__c"] for row in answer.data]
    sizes = [answer.body["responseDetails"]["size"]]
    while next_page := answer.body["responseDetails"].get("next_page"):
        assert next_page.startswith("/api/v25.1/query/")
        answer = await integration.call(method, next_page)
        assert answer.body["responseDetails"]["total"] == ROWS
        seen += [row["key__c"] for row in answer.data]
        sizes.append(answer.body["responseDetails"]["size"])
    assert sizes == [10, 10, 5]
    assert seen == [f"Q-{i:02}" for i in range(ROWS)]
    back = await integration.call(
        method, answer.body["responseDetails"]["previous_page"]
    )
    assert [row["key__c"] for row in back.data] == [f"Q-{i:02}" for i in range(10, 20)]


async def test_a_page_belongs_to_who_asked(integration: Api, admin: Api) -> None:
    next_page = (await integration.query(f"{QUERY} PAGESIZE 10")).body[
        "responseDetails"
    ]["next_page"]
    assert (await admin.get(next_page)).error == "INVALID_DATA"
    assert (await integration.get("/query/not-a-cursor")).error == "INVALID_DATA"
    assert (
        await integration.get(f"{next_page.partition('?')[0]}?pagesize=0")
    ).error == "INVALID_DATA"


async def test_description_on_request(integration: Api) -> None:
    described = await integration.query(
        QUERY, headers={"X-VaultAPI-DescribeQuery": "true"}
    )
    description = described.body["queryDescribe"]
    assert description["object"]["name"] == "thing__c"
    assert [field["name"] for field in description["fields"]] == ["id", "key__c"]
    plain = await integration.query(
        QUERY, headers={"X-VaultAPI-DescribeQuery": "false"}
    )
    assert "queryDescribe" not in plain.body


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("SELECT FROM thing__c", "INCORRECT_QUERY_SYNTAX_ERROR"),
        ("", "PARAMETER_REQUIRED"),
        ("   ", "PARAMETER_REQUIRED"),
        (
            "SELECT id FROM thing__c WHERE note__c = '" + "x" * 50_000 + "'",
            "INVALID_DATA",
        ),
        ("SELECT id FROM nothing__c", "INVALID_DATA"),
    ],
)
async def test_refused_queries(integration: Api, text: str, error: str) -> None:
    answer = await integration.query(text)
    assert (answer.http_status, answer.status, answer.error) == (200, "FAILURE", error)


async def test_the_query_field_is_required(integration: Api) -> None:
    answer = await integration.post("/query")
    assert (answer.error, answer.message) == (
        "PARAMETER_REQUIRED",
        "Missing required parameter [q]",
    )


async def test_objects_that_the_caller_may_not_read(user: Api) -> None:
    assert (
        await user.query("SELECT id FROM connection__sys")
    ).error == "INSUFFICIENT_ACCESS"
