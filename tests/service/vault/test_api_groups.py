"""Groups of users through the public API."""

from __future__ import annotations

from itertools import count

import pytest

from tests.service.vault.people import new_user
from tests.service.vault.served import Api

numbers = count(1)


async def group(admin: Api, **fields: str) -> int:
    answer = await admin.post(
        "/objects/groups", data={"label__v": f"Team {next(numbers)}", **fields}
    )
    assert answer.status == "SUCCESS", answer.text
    group_id: int = answer.body["id"]
    return group_id


async def shown(admin: Api, group_id: int, query: str = "") -> dict[str, object]:
    (entry,) = (await admin.get(f"/objects/groups/{group_id}{query}")).body["groups"]
    found: dict[str, object] = entry["group"]
    return found


async def test_a_group(admin: Api) -> None:
    member, _ = await new_user(admin)
    answer = await admin.post(
        "/objects/groups",
        data={
            "label__v": "Cholecap Team (Rome)",
            "members__v": f"2,{member}",
            "security_profiles__v": "business_user__v",
            "group_description__v": "Those in Rome",
        },
    )
    assert answer.body["responseMessage"]
    group_id = answer.body["id"]
    assert group_id > 2**32
    found = await shown(admin, group_id)
    assert found["name__v"] == "cholecap_team_rome__c"
    assert (found["label__v"], found["group_description__v"]) == (
        "Cholecap Team (Rome)",
        "Those in Rome",
    )
    assert (found["members__v"], found["security_profiles__v"]) == (
        [2, member],
        ["business_user__v"],
    )
    assert (found["active__v"], found["editable__v"], found["system_group__v"]) == (
        True,
        True,
        False,
    )
    assert (found["type__v"], found["created_by__v"]) == ("User Managed Group", 2)
    assert "implied_members__v" not in found
    implied = (await shown(admin, group_id, "?includeImplied=true"))[
        "implied_members__v"
    ]
    assert isinstance(implied, list)
    assert {
        "id": 4,
        "source_name": "business_user__v",
        "source_type": "Securityprofile",
    } in implied
    again = await admin.post(
        "/objects/groups", data={"label__v": "Cholecap Team, Rome"}
    )
    assert again.error == "OPERATION_NOT_ALLOWED"
    (entry,) = (await admin.get(f"/objects/users/{member}")).body["users"]
    # Groups that other tests have made may imply the user as well.
    assert {1, group_id} <= set(entry["user"]["group_id__v"])


async def test_members_are_replaced_added_and_deleted(admin: Api) -> None:
    user_id, _ = await new_user(admin)
    group_id = await group(admin, members__v="2")
    for members, expected in (
        (f"add ({user_id}, 3)", [2, 3, user_id]),
        ("delete (2,3)", [user_id]),
        ("delete (4)", [user_id]),
        ("4,2", [2, 4]),
        ("add()", [2, 4]),
        ("", []),
    ):
        answer = await admin.put(
            f"/objects/groups/{group_id}", data={"members__v": members}
        )
        assert answer.status == "SUCCESS", members
        assert (await shown(admin, group_id))["members__v"] == expected


@pytest.mark.parametrize("members", ["x", "add 2", "1 2", "add (2", "2;3", "-2"])
async def test_members_that_cannot_be_read(admin: Api, members: str) -> None:
    assert (
        await admin.post(
            "/objects/groups", data={"label__v": "M", "members__v": members}
        )
    ).error == "INVALID_DATA"


async def test_a_refused_change_changes_nothing(admin: Api) -> None:
    group_id = await group(admin, members__v="2")
    fields = {"label__v": "Changed", "members__v": "2,987654"}
    assert (
        await admin.put(f"/objects/groups/{group_id}", data=fields)
    ).error == "USER_NOT_FOUND"
    found = await shown(admin, group_id)
    assert (found["members__v"], found["label__v"] != "Changed") == ([2], True)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({}, "PARAMETER_REQUIRED"),
        ({"label__v": ""}, "PARAMETER_REQUIRED"),
        ({"label__v": "x" * 256}, "INVALID_DATA"),
        ({"label__v": "P", "security_profiles__v": "nobody__v"}, "INVALID_DATA"),
        ({"label__v": "P", "active__v": "perhaps"}, "INVALID_DATA"),
        ({"label__v": "P", "nothing__v": "x"}, "ATTRIBUTE_NOT_SUPPORTED"),
    ],
)
async def test_groups_that_cannot_be(
    admin: Api, fields: dict[str, str], error: str
) -> None:
    assert (await admin.post("/objects/groups", data=fields)).error == error


async def test_deleting(admin: Api) -> None:
    group_id = await group(admin)
    assert (await admin.delete(f"/objects/groups/{group_id}")).body["id"] == group_id
    assert (await admin.get(f"/objects/groups/{group_id}")).error == "INVALID_DATA"
    assert (await admin.delete(f"/objects/groups/{group_id}")).error == "INVALID_DATA"
    assert (
        await admin.put(f"/objects/groups/{group_id}", data={"label__v": "x"})
    ).error == "INVALID_DATA"


async def test_groups_of_the_system(admin: Api) -> None:
    groups = {
        entry["group"]["name__v"]: entry["group"]
        for entry in (await admin.get("/objects/groups")).body["groups"]
    }
    assert groups["all_internal_users__v"]["type__v"] == "System Provided Group"
    assert (await admin.delete("/objects/groups/1")).error == "OPERATION_NOT_ALLOWED"
    assert (
        await admin.put("/objects/groups/1", data={"members__v": "2"})
    ).error == "OPERATION_NOT_ALLOWED"
    assert (
        await admin.put("/objects/groups/1", data={"label__v": "x"})
    ).error == "OPERATION_NOT_ALLOWED"
    answer = await admin.put(
        "/objects/groups/1", data={"allow_delegation_among_members__v": "false"}
    )
    assert answer.status == "SUCCESS"
    assert (await admin.get("/objects/groups/auto")).data == []
