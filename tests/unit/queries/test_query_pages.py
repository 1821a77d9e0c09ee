"""Pages of an answer: their addresses, nested JSON, and reading the addresses back."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.protocol.error_types import ErrorType
from shared.vault.errors import VaultFault
from shared.vault.queries.cursors import ChildPage, read_address
from shared.vault.queries.query_pages import (
    QueryPage,
    RecordProperties,
    facet_json,
    has_more_children,
    link,
    page_of,
)
from shared.vault.queries.query_pages import _field_properties as field_properties
from shared.vault.vql import compile_query, facets_of, parse
from tests.unit.vql.sample import REGISTRY, readable

CURSOR = "0f9a6f0e-8f53-4c1f-9d0c-1f6d3f1f2a10"
CHILDREN = "SELECT id, (SELECT id FROM addresses__vr) FROM account__v"


def a_page(pagesize: int, pageoffset: int, size: int, total: int) -> QueryPage:
    return QueryPage([], pagesize, pageoffset, size, total)


@pytest.mark.parametrize(
    ("page", "before", "behind"),
    [
        (a_page(10, 0, 10, 25), None, "/q?pagesize=10&pageoffset=10"),
        (
            a_page(10, 10, 10, 25),
            "/q?pagesize=10&pageoffset=0",
            "/q?pagesize=10&pageoffset=20",
        ),
        (a_page(10, 20, 5, 25), "/q?pagesize=10&pageoffset=10", None),
        (a_page(10, 4, 10, 14), "/q?pagesize=10&pageoffset=0", None),
        (a_page(10, 0, 10, 10), None, None),
        (a_page(0, 5, 0, 25), None, None),
    ],
)
def test_addresses_of_the_next_and_previous_page(
    page: QueryPage, before: str | None, behind: str | None
) -> None:
    link(page, "/q")
    assert (page.previous_page, page.next_page) == (before, behind)


@given(st.integers(1, 50), st.integers(0, 500))
def test_following_the_pages_leads_over_every_row_once(
    pagesize: int, total: int
) -> None:
    seen, offset = 0, 0
    while True:
        size = min(pagesize, total - offset)
        page = a_page(pagesize, offset, size, total)
        link(page, "/q")
        seen += size
        if page.next_page is None:
            break
        offset = int(page.next_page.rpartition("=")[2])
    assert seen == total


def compiled(text: str = CHILDREN) -> Any:
    return compile_query(parse(text), REGISTRY, readable)


def children(details: str, value: str = "A1") -> str:
    return f'{{"responseDetails":{{{details}}},"data":[{{"id":"{value}"}}]}}'


def test_the_answer_of_a_sub_select_goes_into_the_row_as_it_is() -> None:
    rows: Any = [("V1", children('"total":1'), "V1"), ("V2", None, "V2")]
    page = page_of(compiled(), rows, 1000, 0)
    assert orjson.loads(orjson.dumps(page.rows)) == [
        {
            "id": "V1",
            "addresses__vr": {"responseDetails": {"total": 1}, "data": [{"id": "A1"}]},
        },
        {"id": "V2", "addresses__vr": None},
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (children('"total":1'), False),
        (children('"total":3,"next_page":"/q"'), True),
        # A value says what a page's address is called.
        (children('"total":1', 'a \\"next_page\\" of a book'), False),
    ],
)
def test_children_with_a_page_of_their_own(text: str, expected: bool) -> None:
    rows: Any = [("V1", children('"total":0'), "V1"), ("V2", text, "V2")]
    assert has_more_children(compiled(), rows) is expected


@pytest.mark.parametrize(
    ("address", "child"),
    [
        (CURSOR, None),
        (f"{CURSOR}.0.V4T000000001001", ChildPage(0, "V4T000000001001")),
        (f"{CURSOR}.12.a.b", ChildPage(12, "a.b")),
    ],
)
def test_addresses(address: str, child: ChildPage | None) -> None:
    assert read_address(address) == (UUID(CURSOR), child)


@pytest.mark.parametrize("address", ["", "x", f"{CURSOR}x", f"{CURSOR}.one.V1"])
def test_other_addresses_lead_to_no_page(address: str) -> None:
    with pytest.raises(VaultFault) as caught:
        read_address(address)
    assert caught.value.error.type == ErrorType.INVALID_DATA


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        (RecordProperties.ALL, {"hidden": [], "redacted": [], "edit": ["name__v"]}),
        (RecordProperties.HIDDEN, {"hidden": []}),
        (RecordProperties.REDACTED, {"redacted": []}),
        (RecordProperties.WEBLINK, {}),
    ],
)
def test_field_properties(
    properties: RecordProperties, expected: dict[str, list[str]]
) -> None:
    assert field_properties(properties, ["name__v"]) == expected


@pytest.mark.parametrize(("count", "truncated"), [(2, False), (90, True)])
def test_a_facet_says_whether_it_has_more_values(count: int, truncated: bool) -> None:
    (facet,) = facets_of(compiled("SELECT id FROM account__v"), ["status__v"])
    values = [("active__v", 7), ("inactive__v", 3)]
    rows: Any = [
        {"value": value, "result_count": number, "count": count}
        for value, number in values
    ]
    shown = facet_json(facet, rows)
    assert (shown["count"], shown["truncated_list"]) == (count, truncated)
    assert shown["values"][0] == {"value": "active__v", "result_count": 7}
