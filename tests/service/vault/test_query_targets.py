"""What may be queried besides records of an object: configuration, users, recent records, SHOW; and what may not."""

from __future__ import annotations

import pytest

from tests.service.vault import crates as stored
from tests.service.vault.crates import upserted
from tests.service.vault.people import new_user
from tests.service.vault.served import Api

crates = stored.crates


async def test_object_types_are_queried(integration: Api) -> None:
    types = await integration.query(
        "SELECT name__v, api_name__v, status__v FROM object_type__v"
        " WHERE object_name__v = 'crate__c' ORDER BY api_name__v DESC"
    )
    assert types.data == [
        {"api_name__v": name, "name__v": label, "status__v": ["active__v"]}
        for name, label in (("cold__c", "Cold Crate"), ("base__v", "Base Crate"))
    ]


async def test_a_record_has_the_id_of_its_object_type(integration: Api) -> None:
    types = await integration.query(
        "SELECT id FROM object_type__v WHERE object_name__v = 'crate__c' AND api_name__v = 'cold__c'"
    )
    record = await integration.query(
        "SELECT object_type__v FROM crate__c WHERE key__c = 'C-1'"
    )
    assert record.data == [{"object_type__v": types.data[0]["id"]}]


async def test_components_are_queried(integration: Api) -> None:
    components = await integration.query(
        "SELECT label__v, component_name__v FROM vault_component__v"
        " WHERE component_type__v = 'Picklist' AND component_name__v LIKE 'ware%'"
    )
    assert components.data == [{"label__v": "Ware", "component_name__v": "ware__c"}]


async def test_components_are_read_page_by_page(integration: Api) -> None:
    text = "SELECT component_name__v FROM vault_component__v PAGESIZE 10"
    first = await integration.query(text)
    second = await integration.get(first.body["responseDetails"]["next_page"])
    names = [row["component_name__v"] for row in (*first.data, *second.data)]
    assert len(names) == 20


async def test_users_are_queried(integration: Api) -> None:
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


async def test_groups_are_queried(integration: Api) -> None:
    groups = await integration.query(
        "SELECT id, label__v, system_group__v FROM groups WHERE name__v LIKE 'all_int%'"
    )
    assert groups.data == [
        {"id": "1", "label__v": "All Internal Users", "system_group__v": True}
    ]


async def test_members_of_a_group_are_queried(integration: Api) -> None:
    members = await integration.query(
        "SELECT name__v, (SELECT user__sysr.username__sys FROM group_membership__sysr"
        " WHERE user__sysr.username__sys = 'user@vault.example') FROM group__sys WHERE id = '1'"
    )
    assert members.data[0]["group_membership__sysr"]["data"] == [
        {"user__sysr.username__sys": "user@vault.example"}
    ]


@pytest.mark.parametrize("name", ["users", "groups", "user__sys"])
async def test_a_business_user_may_not_query_users_and_groups(
    user: Api, name: str
) -> None:
    answer = await user.query(f"SELECT id FROM {name}")
    assert answer.error == "INSUFFICIENT_ACCESS"


async def test_a_target_is_listed_by_the_record_calls(integration: Api) -> None:
    listed = await integration.get("/vobjects/object_type__v?fields=id,api_name__v")
    assert listed.body["responseDetails"]["object"]["name"] == "object_type__v"
    assert {"cold__c", "base__v"} <= {row["api_name__v"] for row in listed.data}


async def test_a_target_is_not_read_record_by_record(integration: Api) -> None:
    answer = await integration.get("/vobjects/object_type__v/OOT1")
    assert answer.error == "INVALID_DATA"


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
async def test_what_is_not_supported_is_refused_with_its_place(
    integration: Api, text: str, error: str
) -> None:
    answer = await integration.query(text)
    assert (answer.http_status, answer.status, answer.error) == (200, "FAILURE", error)
    assert "line 1, column" in answer.message


async def test_targets_are_shown(integration: Api) -> None:
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


async def test_fields_are_shown(integration: Api) -> None:
    fields = await integration.query("SHOW FIELDS FROM crate_item__c LIKE 'crate%'")
    expected = {
        "name": "crate__c",
        "label": "Crate",
        "type": "ObjectReference",
        "relationship_name": "crate__cr",
    }
    assert fields.data == [expected]


async def test_relationships_are_shown(integration: Api) -> None:
    related = await integration.query("SHOW RELATIONSHIPS FROM crate__c LIKE '%__cr'")
    assert related.data == [
        {"name": "items__cr", "target": "crate_item__c", "type": "inbound"}
    ]


async def test_only_targets_that_the_caller_may_read_are_shown(
    integration: Api, user: Api
) -> None:
    text = "SHOW TARGETS LIKE 'connection__sys'"
    assert [row["name"] for row in (await integration.query(text)).data] == [
        "connection__sys"
    ]
    assert (await user.query(text)).data == []


async def test_fields_of_an_object_that_the_caller_may_not_read_are_not_shown(
    user: Api,
) -> None:
    answer = await user.query("SHOW FIELDS FROM connection__sys")
    assert answer.error == "INSUFFICIENT_ACCESS"


async def test_recent_are_the_twenty_records_that_the_caller_changed_last(
    integration: Api, admin: Api
) -> None:
    mine = [f"own-{number}" for number in range(25)]
    rows: list[dict[str, object]] = [{"key__c": key} for key in mine]
    await upserted(integration, "parcel__c", *rows)
    await upserted(admin, "parcel__c", {"key__c": "other"})
    again: dict[str, object] = {"key__c": "own-0", "name__v": "Again"}
    await upserted(integration, "parcel__c", again)
    recent = await integration.query("SELECT key__c FROM RECENT parcel__c")
    found = {row["key__c"] for row in recent.data}
    # Records of one call have the same time: any five of them may be left out.
    assert len(found) == 20
    assert found <= set(mine)
    assert "own-0" in found


async def test_what_somebody_else_changed_is_not_recent(
    integration: Api, admin: Api
) -> None:
    await upserted(admin, "parcel__c", {"key__c": "theirs"})
    text = "SELECT key__c FROM RECENT parcel__c WHERE key__c = 'theirs'"
    assert (await admin.query(text)).data == [{"key__c": "theirs"}]
    assert (await integration.query(text)).data == []


async def test_no_record_is_a_favorite(integration: Api) -> None:
    await upserted(integration, "parcel__c", {"key__c": "no favorite"})
    answer = await integration.query("SELECT id FROM FAVORITES parcel__c")
    assert (answer.status, answer.data) == ("SUCCESS", [])


@pytest.mark.parametrize("target", ["users", "user__sys"])
async def test_ids_that_are_numbers_are_compared_and_sorted_as_numbers(
    admin: Api, target: str
) -> None:
    async def ids(clauses: str) -> list[int]:
        answer = await admin.query(f"SELECT id FROM {target} {clauses}")
        assert answer.status == "SUCCESS", answer.text
        details = answer.body["responseDetails"]
        found = [int(row["id"]) for row in answer.data]
        while next_page := details.get("next_page"):
            answer = await admin.get(next_page)
            details = answer.body["responseDetails"]
            found += [int(row["id"]) for row in answer.data]
        return found

    while max(every := await ids("")) < 11:
        await new_user(admin)
    ordered = sorted(every)
    assert every == ordered
    assert await ids("ORDER BY id") == ordered
    assert await ids("PAGESIZE 2") == ordered
    assert await ids("ORDER BY id DESC PAGESIZE 3") == ordered[::-1]
    assert await ids("WHERE id > '9'") == [each for each in ordered if each > 9]
    assert await ids("WHERE id <= 10") == [each for each in ordered if each <= 10]
    between = [each for each in ordered if 9 <= each <= 11]
    assert await ids("WHERE id BETWEEN '9' AND '11'") == between


async def test_references_to_users_are_compared_and_sorted_as_numbers(
    admin: Api, integration: Api
) -> None:
    caller = (await integration.query("SELECT created_by__v FROM crate__c")).data[0]
    answer = await integration.query(
        "SELECT created_by__v FROM crate__c WHERE created_by__v >= 2"
        " AND created_by__v <= 1000000 ORDER BY created_by__v DESC"
    )
    assert answer.data == [caller] * 3, answer.text
    owned = await admin.query(
        "SELECT id FROM active_workflow__sys WHERE id > '9' ORDER BY owner__sys"
    )
    assert owned.status == "SUCCESS", owned.text
