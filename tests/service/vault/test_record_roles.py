"""Roles on records: assigned, removed, replaced by updates, audited, and deleted with their record."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service.vault.objects import ITEMS, items
from tests.service.vault.people import new_user
from tests.service.vault.served import Api

ROLES = f"{ITEMS}/roles"
ROLE = "RECREATE Applicationrole reviewer__c (label('Reviewer'), active(true));"


async def roles(api: Api, record_id: str) -> dict[str, Any]:
    found = (await api.get(f"{ITEMS}/{record_id}/roles")).data
    assert all(role["assignment_type"] == "manual_assignment" for role in found)
    return {role["name"]: (role["users"], role["groups"]) for role in found}


async def group(admin: Api, label: str) -> int:
    return int(
        (await admin.post("/objects/groups", data={"label__v": label})).body["id"]
    )


async def test_roles_are_given_and_taken_away(admin: Api) -> None:
    assert (await admin.post("/api/mdl/execute", data=ROLE)).status == "SUCCESS"
    (first, _), (second, _) = await new_user(admin), await new_user(admin)
    team = await group(admin, "Role team")
    one, two = await items(admin, 2)
    rows = [
        {
            "id": one,
            "viewer__v.users": f"{first},{second}",
            "reviewer__c.groups": str(team),
        },
        {"id": two, "owner__v.users": [first]},
    ]
    answer = await admin.post(ROLES, json=rows)
    assert answer.data == [
        {"responseStatus": "SUCCESS", "data": {"id": each}} for each in (one, two)
    ]
    assert (await admin.post(ROLES, json=rows)).status == "SUCCESS"
    assert await roles(admin, one) == {
        "viewer__v": ([first, second], []),
        "reviewer__c": ([], [team]),
    }
    (only,) = (await admin.get(f"{ITEMS}/{one}/roles/reviewer__c")).data
    assert only["groups"] == [team]
    assert (await admin.get(f"{ITEMS}/{one}/roles/owner__v")).data == []

    csv = f"id,viewer__v.users\n{one},{second}\n"
    assert (
        await admin.delete(ROLES, data=csv, headers={"Content-Type": "text/csv"})
    ).status == "SUCCESS"
    assert await roles(admin, one) == {
        "viewer__v": ([first], []),
        "reviewer__c": ([], [team]),
    }
    record = (await admin.get(f"{ITEMS}/{one}")).body
    assert record["manually_assigned_sharing_roles"] == {
        "viewer__v": {"users": [first], "groups": None},
        "reviewer__c": {"users": None, "groups": [team]},
    }
    assert await roles(admin, two) == {"owner__v": ([first], [])}


async def test_an_update_replaces_who_has_a_role(admin: Api) -> None:
    (first, _), (second, _) = await new_user(admin), await new_user(admin)
    team = await group(admin, "Update team")
    one, two = await items(admin, 2)
    await admin.post(
        ROLES,
        json=[
            {"id": one, "viewer__v.users": str(first), "viewer__v.groups": str(team)}
        ],
    )
    rows = [
        {"id": one, "viewer__v.users": str(second)},
        {"id": two, "text__c": "x", "owner__v.groups": [team]},
    ]
    answer = await admin.put(ITEMS, json=rows)
    assert (answer.status, [row["responseStatus"] for row in answer.data]) == (
        "SUCCESS",
        ["SUCCESS"] * 2,
    )
    assert await roles(admin, one) == {"viewer__v": ([second], [team])}
    assert await roles(admin, two) == {"owner__v": ([], [team])}
    await admin.put(
        ITEMS, json=[{"id": one, "viewer__v.users": "", "viewer__v.groups": ""}]
    )
    assert await roles(admin, one) == {}


@pytest.mark.parametrize(
    ("row", "error"),
    [
        ({"viewer__v.users": "999999999"}, "INVALID_DATA"),
        ({"viewer__v.groups": "999999999"}, "INVALID_DATA"),
        ({"viewer__v.users": "me"}, "INVALID_DATA"),
        ({"none__c.users": "1"}, "ATTRIBUTE_NOT_SUPPORTED"),
    ],
)
async def test_a_row_that_cannot_be_carried_out_fails_alone(
    admin: Api, row: dict[str, str], error: str
) -> None:
    user_id, _ = await new_user(admin)
    bad, good = await items(admin, 2)
    rows = [
        {"id": bad, **row},
        {"id": good, "viewer__v.users": str(user_id)},
        {"id": "none", "viewer__v.users": "1"},
    ]
    for call in (admin.post, admin.put):
        answer = await call(ROLES if call == admin.post else ITEMS, json=rows)
        assert [r["responseStatus"] for r in answer.data] == [
            "FAILURE",
            "SUCCESS",
            "FAILURE",
        ]
        assert answer.data[0]["errors"][0]["type"] == error
    assert await roles(admin, bad) == {}
    assert await roles(admin, good) == {"viewer__v": ([user_id], [])}


async def test_roles_are_audited_and_go_with_their_record(admin: Api) -> None:
    user_id, _ = await new_user(admin)
    (record_id,) = await items(admin, 1)
    await admin.post(ROLES, json=[{"id": record_id, "owner__v.users": str(user_id)}])
    trail = (await admin.get(f"{ITEMS}/{record_id}/audittrail")).data
    assert any(str(user_id) == entry["new_value"] for entry in trail)
    await admin.delete(ITEMS, json=[{"id": record_id}])
    assert (await admin.get(f"{ITEMS}/{record_id}/roles")).error == "INVALID_DATA"
