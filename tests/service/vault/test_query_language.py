"""VQL through the public API: the result of each clause, literal, function and header."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.vault.assembly.vault import Vault
from tests.service.vault.served import USERNAMES, Answer, Api

MDL = r"""
RECREATE Picklist ware__c ( label('Ware'), Picklistentry red_wine__c ( label('Red Wine') ),
  Picklistentry tea__c ( label('Tea') ) );
RECREATE Objectlifecycle crate_lifecycle__c ( label('Crate Lifecycle'), starting_state('packed__c'),
  Objectlifecyclestate packed__c ( label('Packed and sealed'), state_type('initial_state__sys') ),
  Objectlifecyclestate sent__c ( label('Sent') ) );
RECREATE Object crate__c ( label('Crate'), prefix('ZCR'), allow_types(true),
  lifecycle('Objectlifecycle.crate_lifecycle__c'),
  Field key__c ( type('String'), label('Key'), unique(true), max_length(40) ),
  Field ware__c ( type('Picklist'), label('Ware'), picklist('Picklist.ware__c') ),
  Field wares__c ( type('Picklist'), label('Wares'), picklist('Picklist.ware__c'), multi_value(true) ),
  Field weight__c ( type('Number'), label('Weight'), scale(3) ),
  Field length__c ( type('Number'), label('Length'), scale(1) ),
  Field fragile__c ( type('Boolean'), label('Fragile') ),
  Field due__c ( type('Date'), label('Due') ),
  Field sent__c ( type('DateTime'), label('Sent') ),
  Field text__c ( type('LongText'), label('Text') ),
  Field markup__c ( type('RichText'), label('Markup') ) );
RECREATE Objecttype crate__c.cold__c ( label('Cold Crate'), active(true) );
RECREATE Object crate_item__c ( label('Crate Item'), prefix('ZCI'),
  Field key__c ( type('String'), label('Key'), unique(true), max_length(40) ),
  Field crate__c ( type('Object'), label('Crate'), object('Object.crate__c'), relationship_type('reference'),
    relationship_inbound_name('items__cr') ) );
RECREATE Object parcel__c ( label('Parcel'), prefix('ZQP'),
  Field key__c ( type('String'), label('Key'), unique(true), max_length(40) ),
  Field weight__c ( type('Number'), label('Weight'), scale(3) ),
  Field length__c ( type('Number'), label('Length'), scale(1) ) );
RECREATE Object parcel_item__c ( label('Parcel Item'), prefix('ZQI'),
  Field key__c ( type('String'), label('Key'), unique(true), max_length(40) ),
  Field parcel__c ( type('Object'), label('Parcel'), object('Object.parcel__c'), relationship_type('reference'),
    relationship_inbound_name('items__cr') ) );
"""
NOW = datetime.now(UTC)
TODAY = NOW.date()


def day(count: int) -> str:
    return (TODAY + timedelta(days=count)).isoformat()


def moment(**back: int) -> str:
    return (NOW - timedelta(**back)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


# Records that tests add are parcels: what they count and list of crates are these.
CRATES: list[dict[str, object]] = [
    {
        "key__c": "C-1",
        "name__v": "Insulin pens",
        "ware__c": "tea__c",
        "wares__c": ["tea__c", "red_wine__c"],
        "weight__c": 1.25,
        "fragile__c": True,
        "due__c": day(0),
        "sent__c": moment(days=2),
        "text__c": "Blood sugar and insulin. " + "x" * 400,
        "markup__c": "<p>Keep <b>cold</b></p>",
    },
    {
        "key__c": "C-2",
        "name__v": "Diabetes leaflets",
        "ware__c": "red_wine__c",
        "fragile__c": False,
        "due__c": day(-40),
        "sent__c": moment(days=40),
        "text__c": "insulin insulin insulin",
    },
    {
        "key__c": "C-3",
        "name__v": "CC-123 (50%)",
        "due__c": day(3),
        "text__c": "sugar in blood",
    },
]


@pytest.fixture(scope="module", autouse=True)
async def crates(admin: Api, integration: Api) -> None:
    answer = await admin.post("/api/mdl/execute", data=MDL)
    assert answer.status == "SUCCESS", answer.text
    rows = [
        row | {"object_type__v.api_name__v": "cold__c"}
        if row["key__c"] == "C-1"
        else row
        for row in CRATES
    ]
    answer = await integration.post("/vobjects/crate__c?idParam=key__c", json=rows)
    assert all(row["responseStatus"] == "SUCCESS" for row in answer.data), answer.text


@pytest.fixture
async def crates_of_its_own(admin: Api, crates: None) -> AsyncIterator[None]:
    """Remove the crates that a test adds, since the others count all of them."""
    yield
    known = {row["key__c"] for row in CRATES}
    # Items first: a crate with items cannot be deleted.
    for name in ("crate_item__c", "crate__c"):
        found = await admin.query(f"SELECT id, key__c FROM {name}")
        rows = [{"id": row["id"]} for row in found.data if row["key__c"] not in known]
        if rows:
            answer = await admin.delete(f"/vobjects/{name}", json=rows)
            assert answer.status == "SUCCESS", answer.text


async def keys(api: Api, rest: str) -> list[str]:
    answer = await api.query(f"SELECT key__c FROM crate__c {rest}")
    assert answer.status == "SUCCESS", answer.text
    return [row["key__c"] for row in answer.data]


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("due__c = TODAY", ["C-1"]),
        ("due__c != TODAY", ["C-2", "C-3"]),
        ("due__c > TODAY", ["C-3"]),
        ("due__c <= TODAY", ["C-1", "C-2"]),
        ("due__c = NEXT_DAYS:3", ["C-1", "C-3"]),
        ("due__c = DAYS_AGO:40", ["C-2"]),
        ("due__c = LAST_DAYS:40", ["C-1", "C-2"]),
        ("sent__c = LAST_DAYS:3", ["C-1"]),
        ("sent__c = DAYS_AGO:2", ["C-1"]),
        ("sent__c != LAST_DAYS:3", ["C-2", "C-3"]),
        ("sent__c >= LAST_YEARS:1", ["C-1", "C-2"]),
        (
            "created_date__v = THIS_YEAR AND created_date__v = THIS_MONTH",
            ["C-1", "C-2", "C-3"],
        ),
        ("created_date__v = LAST_MONTHS:1", []),
    ],
)
async def test_date_literals(
    integration: Api, condition: str, found: list[str]
) -> None:
    assert await keys(integration, f"WHERE {condition} ORDER BY key__c") == found


async def test_vault_tokens_stand_for_who_and_where(
    integration: Api, admin: Api, vault: Vault
) -> None:
    assert await keys(
        integration, "WHERE created_by__v = ${User.id} AND key__c = 'C-1'"
    ) == ["C-1"]
    assert await keys(admin, "WHERE created_by__v = ${User.id}") == []
    text = "SELECT id FROM user__sys WHERE username__sys = ${User.name}"
    for role in ("admin", "integration"):
        client = {"admin": admin, "integration": integration}[role]
        named = await client.query(
            f"{text.replace('SELECT id', 'SELECT username__sys')}"
        )
        assert [row["username__sys"] for row in named.data] == [USERNAMES[role]]
    assert (
        await keys(admin, "WHERE name__v = ${Vault.name} OR name__v = ${Vault.dns}")
        == []
    )
    assert (
        await admin.query("SELECT id FROM crate__c WHERE key__c = ${Vault.secret}")
    ).error == "INVALID_DATA"


@pytest.mark.parametrize(
    ("find", "found"),
    [
        ("'insulin'", {"C-1", "C-2"}),
        ("'INSUL'", {"C-1", "C-2"}),
        ("'blood sugar'", {"C-1", "C-3"}),
        ("'\"blood sugar\"'", {"C-1"}),
        ("'leaflets OR pens'", {"C-1", "C-2"}),
        ("'insulin AND NOT pens'", {"C-2"}),
        ("NOT 'insulin'", {"C-3"}),
        ("'insulin' SCOPE name__v", {"C-1"}),
        ("'insulin' SCOPE name__v OR 'blood' SCOPE text__c", {"C-1", "C-3"}),
        ("'dia*flets'", set()),
        ("'l*ts'", {"C-2"}),
        ("'cc'", {"C-3"}),
        ("'CC-123'", {"C-3"}),
        ("'(50%)' SCOPE name__v", {"C-3"}),
        (r"'50\%' SCOPE name__v", {"C-3"}),
        ("'wine'", {"C-1", "C-2"}),
        ("'sealed'", set()),
        ("'nothing'", set()),
    ],
)
async def test_find(integration: Api, find: str, found: set[str]) -> None:
    assert set(await keys(integration, f"FIND ({find})")) == found


async def test_what_find_has_found_is_sorted_by_rank_and_named(
    integration: Api,
) -> None:
    answer = await integration.query(
        "SELECT key__c FROM crate__c FIND ('insulin' SCOPE text__c) WHERE key__c != null"
    )
    assert [row["key__c"] for row in answer.data] == ["C-2", "C-1"]
    assert answer.body["responseDetails"]["find"] == "('insulin' SCOPE text__c)"
    ranked = await integration.query(
        "SELECT key__c FROM crate__c FIND ('insulin' SCOPE text__c) ORDER BY RANK"
    )
    assert [row["key__c"] for row in ranked.data] == ["C-2", "C-1"]
    assert await keys(integration, "FIND ('insulin') ORDER BY key__c") == ["C-1", "C-2"]


async def test_functions(integration: Api) -> None:
    answer = await integration.query(
        "SELECT TOLABEL(ware__c) AS ware, TOLABEL(wares__c) AS wares, TRIM(wares__c) AS trimmed, ware__c,"
        " TOLABEL(state__v) AS state, state__v, TOLABEL(object_type__v) AS type, object_type__vr.api_name__v,"
        " TODISPLAYFORMAT(weight__c) AS weight, text__c, LONGTEXT(text__c) AS whole, markup__c,"
        " LONGTEXT(markup__c) AS plain, RICHTEXT(markup__c) AS markup FROM crate__c WHERE key__c = 'C-1'",
        headers={"X-VaultAPI-DescribeQuery": "true"},
    )
    text = str(CRATES[0]["text__c"])
    assert answer.data == [
        {
            "ware": ["Tea"],
            "wares": ["Tea", "Red Wine"],
            "trimmed": ["tea", "red_wine"],
            "ware__c": ["tea__c"],
            "state": "Packed and sealed",
            "state__v": "packed__c",
            "type": "Cold Crate",
            "object_type__vr.api_name__v": "cold__c",
            "weight": "1.25",
            "text__c": text[:250],
            "whole": text,
            "markup__c": "Keep cold",
            "plain": "Keep cold",
            "markup": "<p>Keep <b>cold</b></p>",
        }
    ]
    described = {
        field["name"]: field for field in answer.body["queryDescribe"]["fields"]
    }
    assert (described["ware"]["function"], described["ware"]["alias"]) == (
        "TOLABEL",
        True,
    )
    assert answer.body["queryDescribe"]["type"] == "select__sys"


async def test_a_record_read_by_itself_has_its_markup(integration: Api) -> None:
    record_id = (
        await integration.query("SELECT id FROM crate__c WHERE key__c = 'C-1'")
    ).data[0]["id"]
    record = (await integration.get(f"/vobjects/crate__c/{record_id}")).data
    assert record["markup__c"] == "<p>Keep <b>cold</b></p>"
    assert record["text__c"] == CRATES[0]["text__c"]


@pytest.mark.parametrize(
    ("rest", "found"),
    [
        ("WHERE TOLABEL(ware__c) = 'Tea'", ["C-1"]),
        ("WHERE TOLABEL(wares__c) CONTAINS ('Red Wine', 'Milk')", ["C-1"]),
        (
            "WHERE TOLABEL(state__v) LIKE 'Packed%' ORDER BY TOLABEL(ware__c), key__c",
            ["C-2", "C-1", "C-3"],
        ),
        ("WHERE object_type__vr.api_name__v = 'cold__c'", ["C-1"]),
        (
            "WHERE state__v = STATETYPE('initial_state__sys') AND key__c = 'C-1'",
            ["C-1"],
        ),
        (
            "WHERE state__v = STATETYPE('base:object_lifecycle:initial') AND key__c = 'C-1'",
            ["C-1"],
        ),
        ("WHERE state__v != STATETYPE('initial_state__sys')", []),
        ("WHERE state__v = STATETYPE('complete_state__sys')", []),
        (
            "WHERE created_by__vr.username__sys = 'integration@vault.example' ORDER BY key__c",
            ["C-1", "C-2", "C-3"],
        ),
        ("WHERE CASEINSENSITIVE(name__v) = 'insulin PENS'", ["C-1"]),
        ("WHERE fragile__c = null", ["C-3"]),
        ("ORDER BY weight__c, key__c DESC", ["C-1", "C-3", "C-2"]),
        ("ORDER BY key__c MAXROWS 2 SKIP 1 PAGESIZE 5", ["C-2", "C-3"]),
    ],
)
async def test_conditions_and_order(
    integration: Api, rest: str, found: list[str]
) -> None:
    assert await keys(integration, rest) == found


async def test_targets_made_of_the_configuration(integration: Api) -> None:
    types = await integration.query(
        "SELECT id, name__v, api_name__v, object_name__v, status__v FROM object_type__v"
        " WHERE object_name__v = 'crate__c' ORDER BY api_name__v DESC"
    )
    assert [
        (row["api_name__v"], row["name__v"], row["status__v"]) for row in types.data
    ] == [
        ("cold__c", "Cold Crate", ["active__v"]),
        ("base__v", "Base Crate", ["active__v"]),
    ]
    record = await integration.query(
        "SELECT object_type__v FROM crate__c WHERE key__c = 'C-1'"
    )
    assert record.data[0]["object_type__v"] == types.data[0]["id"]
    components = await integration.query(
        "SELECT label__v, component_name__v FROM vault_component__v"
        " WHERE component_type__v = 'Picklist' AND component_name__v LIKE 'ware%' PAGESIZE 1"
    )
    assert components.data == [{"label__v": "Ware", "component_name__v": "ware__c"}]
    pages = await integration.query("SELECT id FROM vault_component__v PAGESIZE 10")
    assert (await integration.get(pages.body["responseDetails"]["next_page"])).body[
        "responseDetails"
    ]["size"] == 10


async def test_users_and_groups(integration: Api, user: Api) -> None:
    users = await integration.query(
        "SELECT user_name__v, user_last_name__v, active__v, security_profile__v FROM users"
        " WHERE user_name__v = 'user@vault.example'"
    )
    assert users.data == [
        {
            "user_name__v": "user@vault.example",
            "user_last_name__v": "User",
            "active__v": True,
            "security_profile__v": ["business_user__v"],
        }
    ]
    groups = await integration.query(
        "SELECT id, label__v, system_group__v FROM groups WHERE name__v LIKE 'all_int%'"
    )
    assert groups.data == [
        {"id": "1", "label__v": "All Internal Users", "system_group__v": True}
    ]
    members = await integration.query(
        "SELECT name__v, (SELECT user__sysr.username__sys FROM group_membership__sysr"
        " WHERE user__sysr.username__sys = 'user@vault.example') FROM group__sys WHERE id = '1'"
    )
    assert members.data[0]["group_membership__sysr"]["data"] == [
        {"user__sysr.username__sys": "user@vault.example"}
    ]
    assert [
        (await user.query(f"SELECT id FROM {name}")).error
        for name in ("users", "groups", "user__sys")
    ] == ["INSUFFICIENT_ACCESS"] * 3


async def test_a_target_is_no_object_of_the_record_calls(integration: Api) -> None:
    listed = await integration.get("/vobjects/object_type__v?fields=id,api_name__v")
    assert listed.body["responseDetails"]["object"]["name"] == "object_type__v"
    assert (
        await integration.get("/vobjects/object_type__v/OOT1")
    ).error == "INVALID_DATA"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            "SELECT id FROM crate__c WHERE status__v = STEADYSTATE()",
            "ATTRIBUTE_NOT_SUPPORTED",
        ),
        ("SELECT id FROM crate__c FIND ('x' SCOPE CONTENT)", "ATTRIBUTE_NOT_SUPPORTED"),
        ("SELECT id FROM workflows", "ATTRIBUTE_NOT_SUPPORTED"),
        ("SHOW TABLES", "INCORRECT_QUERY_SYNTAX_ERROR"),
    ],
)
async def test_what_is_not_here(integration: Api, text: str, error: str) -> None:
    answer = await integration.query(text)
    assert (answer.http_status, answer.status, answer.error) == (200, "FAILURE", error)
    assert "line 1, column" in answer.message


async def test_show(integration: Api, user: Api) -> None:
    described = {"X-VaultAPI-DescribeQuery": "true"}
    targets = await integration.query("SHOW TARGETS LIKE 'crate%'", headers=described)
    assert [row["name"] for row in targets.data] == ["crate__c", "crate_item__c"]
    assert targets.body["responseDetails"] == {
        "pagesize": 1000,
        "pageoffset": 0,
        "size": 2,
        "total": 2,
    }
    assert targets.body["queryDescribe"]["type"] == "show_targets__sys"
    fields = await integration.query("SHOW FIELDS FROM crate_item__c LIKE 'crate%'")
    expected = {
        "name": "crate__c",
        "label": "Crate",
        "type": "ObjectReference",
        "relationship_name": "crate__cr",
    }
    assert fields.data == [expected]
    related = await integration.query("SHOW RELATIONSHIPS FROM crate__c LIKE '%__cr'")
    assert related.data == [
        {"name": "items__cr", "target": "crate_item__c", "type": "inbound"}
    ]
    assert "connection__sys" not in [
        row["name"] for row in (await user.query("SHOW TARGETS")).data
    ]
    assert (
        await user.query("SHOW FIELDS FROM connection__sys")
    ).error == "INSUFFICIENT_ACCESS"


async def properties(api: Api, text: str, asked: str) -> Answer:
    return await api.query(text, headers={"X-VaultAPI-RecordProperties": asked})


async def test_record_properties_say_what_the_caller_may_do(
    integration: Api, admin: Api
) -> None:
    text = "SELECT name__v, ware__c, created_by__v, object_type__vr.name__v FROM crate__c WHERE key__c = 'C-1'"
    answer = await properties(integration, text, "all")
    record_id = (
        await integration.query("SELECT id FROM crate__c WHERE key__c = 'C-1'")
    ).data[0]["id"]
    expected: dict[str, Any] = {
        "id": record_id,
        "field_properties": {
            "hidden": [],
            "redacted": [],
            "edit": ["name__v", "ware__c"],
        },
        "permissions": {"read": True, "edit": True, "create": True, "delete": False},
        "subquery_properties": {},
        "field_additional_data": {"web_link": []},
    }
    assert answer.body["record_properties"] == [expected]
    assert (await properties(admin, text, "ALL")).body["record_properties"][0][
        "permissions"
    ]["delete"] is True
    hidden = (await properties(integration, text, "hidden")).body["record_properties"]
    assert hidden == [
        {
            "id": record_id,
            "field_properties": {"hidden": []},
            "field_additional_data": {"web_link": []},
        }
    ]
    read_only = await properties(
        integration, "SELECT api_name__sys FROM connection__sys", "all"
    )
    assert read_only.body["record_properties"][0]["field_properties"]["edit"] == []
    types = await properties(
        admin, "SELECT api_name__v FROM object_type__v MAXROWS 1", "all"
    )
    assert not any(list(types.body["record_properties"][0]["permissions"].values())[1:])
    assert (await properties(integration, text, "everything")).error == "INVALID_DATA"
    assert "record_properties" not in (await integration.query(text)).body


async def test_facets_count_the_whole_result(integration: Api) -> None:
    headers = {"X-VaultAPI-Facets": "wares__c, fragile__c,state__v"}
    answer = await integration.query(
        "SELECT id FROM crate__c WHERE key__c != 'x' PAGESIZE 1", headers=headers
    )
    facets = {facet["name"]: facet for facet in answer.body["facets"]}
    assert facets["wares__c"] == {
        "label": "Wares",
        "type": "Picklist",
        "name": "wares__c",
        "count": 2,
        "truncated_list": False,
        "values": [
            {"value": "red_wine__c", "result_count": 1},
            {"value": "tea__c", "result_count": 1},
        ],
    }
    assert [value["value"] for value in facets["fragile__c"]["values"]] == [
        "false",
        "true",
    ]
    assert facets["state__v"]["values"] == [{"value": "packed__c", "result_count": 3}]
    for wrong in ("name__v", "nothing__c", "a b"):
        refused = await integration.query(
            "SELECT id FROM crate__c", headers={"X-VaultAPI-Facets": wrong}
        )
        assert refused.error == "INVALID_DATA"


@pytest.mark.usefixtures("crates_of_its_own")
async def test_what_the_caller_changed_last(integration: Api, admin: Api) -> None:
    mine = [{"key__c": f"own-{n}", "name__v": "Own"} for n in range(25)]
    assert (
        await integration.post("/vobjects/parcel__c?idParam=key__c", json=mine)
    ).status == "SUCCESS"
    await admin.post(
        "/vobjects/parcel__c?idParam=key__c",
        json=[{"key__c": "other", "name__v": "Other"}],
    )
    await integration.post(
        "/vobjects/parcel__c?idParam=key__c",
        json=[{"key__c": "own-0", "name__v": "Again"}],
    )
    recent = [
        row["key__c"]
        for row in (await integration.query("SELECT key__c FROM RECENT parcel__c")).data
    ]
    assert len(recent) == 20 and "own-0" in recent and "other" not in recent
    theirs = await admin.query(
        "SELECT key__c FROM RECENT parcel__c WHERE key__c = 'other'"
    )
    assert [row["key__c"] for row in theirs.data] == ["other"]
    assert (await admin.query("SELECT id FROM FAVORITES parcel__c")).data == []


@pytest.mark.usefixtures("crates_of_its_own")
@pytest.mark.parametrize("given", ["1.250", "1234567890123456.789", "-0.001"])
async def test_numbers_have_all_their_decimals(integration: Api, given: str) -> None:
    """Exactly as stored, and padded to the decimals of their field; a floating point number would have 15 digits."""
    rows = [{"key__c": "exact", "name__v": "Exact", "weight__c": given}]
    written = await integration.post("/vobjects/parcel__c?idParam=key__c", json=rows)
    answer = await integration.query(
        "SELECT id, weight__c, length__c FROM parcel__c WHERE key__c = 'exact'"
    )
    assert f'"weight__c":{given}' in answer.text and '"length__c":null' in answer.text
    read = await integration.get(f"/vobjects/parcel__c/{written.data[0]['data']['id']}")
    assert f'"weight__c":{given}' in read.text
    items = [{"key__c": "exact", "name__v": "Exact", "parcel__cr.key__c": "exact"}]
    await integration.post("/vobjects/parcel_item__c?idParam=key__c", json=items)
    above = await integration.query(
        "SELECT parcel__cr.weight__c FROM parcel_item__c WHERE key__c = 'exact'"
    )
    assert f'"parcel__cr.weight__c":{given}' in above.text


@pytest.mark.parametrize(
    ("store", "ascending"), [("raw", [None, 1, 2]), ("standard", [1, 2, None])]
)
async def test_records_without_a_value_come_last_but_in_raw_objects(
    admin: Api, store: str, ascending: list[int | None]
) -> None:
    name = f"{store}_row__c"
    mdl = f"RECREATE Object {name} ( label('Row'), prefix('Z{store[:2].upper()}'), data_store('{store}'),"
    mdl += " Field rank__c ( type('Number'), label('Rank') ) );"
    assert (await admin.post("/api/mdl/execute", data=mdl)).status == "SUCCESS"
    await admin.post(
        f"/vobjects/{name}",
        json=[{"name__v": "row", "rank__c": rank} for rank in (2, None, 1)],
    )

    async def ranks(order: str) -> list[int | None]:
        pages = [
            await admin.query(
                f"SELECT rank__c FROM {name} ORDER BY rank__c {order} PAGESIZE 2"
            )
        ]
        pages.append(await admin.get(pages[0].body["responseDetails"]["next_page"]))
        return [row["rank__c"] for page in pages for row in page.data]

    assert await ranks("ASC") == ascending
    assert await ranks("DESC") == [2, 1, None]
    ids = [
        row["id"]
        for row in (await admin.query(f"SELECT id FROM {name} ORDER BY id ASC")).data
    ]
    assert ids == sorted(ids)
