"""What may be queried besides records of an object: configuration, users, recent records, SHOW; and what may not."""

from __future__ import annotations

import pytest

from tests.service.vault import crates as stored
from tests.service.vault.served import Api

crates = stored.crates


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
