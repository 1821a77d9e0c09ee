"""Users read through the public API: oneself, pages, queries, metadata, permissions and profiles."""

from __future__ import annotations

import pytest

from shared.vault.assembly.vault import Vault
from tests.service.vault.people import as_user, new_user
from tests.service.vault.served import USERNAMES, Api
from tests.service.vault.user_forms import shown


async def test_users_me(integration: Api) -> None:
    (entry,) = (await integration.get("/objects/users/me")).body["users"]
    me = entry["user"]
    assert me["user_name__v"] == USERNAMES["integration"]
    assert me["security_profile__v"] == "integration_user__v"
    assert (me["active__v"], me["is_domain_admin__v"]) == (True, False)
    assert (me["user_timezone__v"], me["user_locale__v"], me["user_language__v"]) == (
        "UTC",
        "en_US",
        "en",
    )
    assert isinstance(me["id"], int)
    assert 1 in me["group_id__v"], (
        "the group of all users, and those that other tests made"
    )
    assert me["created_date__v"].endswith("Z")
    assert not {"vault_membership", "app_licensing", "delegate_user_id"} & set(me)


async def test_membership_is_shown_when_asked_for(user: Api, vault: Vault) -> None:
    answer = await user.get(
        "/objects/users/me?exclude_vault_membership=false&exclude_app_licensing=false"
    )
    (membership,) = answer.body["users"][0]["user"]["vault_membership"]
    assert membership["id"] == vault.vault_id
    assert membership["security_profile__v"] == "business_user__v"
    assert answer.body["users"][0]["user"]["app_licensing"] == []


async def test_pages_of_users(admin: Api, vault: Vault) -> None:
    first = await admin.get("/objects/users?limit=2&sort=id asc")
    assert (first.body["size"], first.body["start"], first.body["limit"]) == (2, 0, 2)
    assert [entry["user"]["id"] for entry in first.body["users"]] == [1, 2]
    second = await admin.get("/objects/users?limit=1&start=2")
    assert [entry["user"]["id"] for entry in second.body["users"]] == [3]
    last = await admin.get("/objects/users?limit=1&sort=user_name__v desc")
    assert last.body["users"][0]["user"]["user_name__v"] >= "user@"
    for sort in ("nothing__v", "id sideways", "id; DROP TABLE x"):
        assert (
            await admin.get("/objects/users", params={"sort": sort})
        ).error == "INVALID_DATA"
    for limit in ("0", "1001", "x"):
        assert (
            await admin.get(f"/objects/users?limit={limit}")
        ).error == "INVALID_DATA"
    for vaults, number in (
        ("all", 2),
        (str(vault.vault_id), 2),
        ("-1", 0),
        ("3003,4004", 0),
        (f"3003, {vault.vault_id}", 2),
    ):
        assert (await admin.get(f"/objects/users?limit=2&vaults={vaults}")).body[
            "size"
        ] == number
    for vaults in ("abc", "3003,abc", "3003,,", "1.5", "--1"):
        answer = await admin.get("/objects/users", params={"vaults": vaults})
        assert (answer.error, "[vaults]" in answer.message) == ("INVALID_DATA", True)


@pytest.mark.parametrize("user_id", ["0", "987654321012345678"])
async def test_users_who_are_not(admin: Api, user_id: str) -> None:
    assert (await admin.get(f"/objects/users/{user_id}")).error == "USER_NOT_FOUND"


@pytest.mark.parametrize("user_id", ["you", "-1", "1.5", "9" * 30])
async def test_ids_that_are_none(admin: Api, user_id: str) -> None:
    assert (await admin.get(f"/objects/users/{user_id}")).error == "INVALID_DATA"


async def test_what_is_called_queryable_may_be_queried(admin: Api) -> None:
    user_id, username = await new_user(admin, federated_id__v="F-1", alias__v="al")
    described = (await admin.get("/metadata/objects/users")).body["properties"]
    names = [each["name"] for each in described if each["queryable"]]
    assert {"last_login__v", "group_id__v", "license_type__v"} <= set(names)
    selected = ", ".join(names)
    await as_user(admin, username)
    answer = await admin.query(f"SELECT {selected} FROM users WHERE id = {user_id}")
    (row,) = answer.data
    user = await shown(admin, user_id)
    # Queries show choices as lists, and ids of users as text.
    listed = {"security_profile__v", "license_type__v"}
    seen = {name: value[0] if name in listed else value for name, value in row.items()}
    assert seen == {**{name: user[name] for name in names}, "id": str(user_id)}
    for condition in (
        "license_type__v = 'full__v'",
        "federated_id__v = 'F-1'",
        "domain_id__v = 1",
        "last_login__v != null",
        "group_id__v = 1",
    ):
        found = await admin.query(
            f"SELECT id FROM users WHERE id = {user_id} AND {condition}"
        )
        expected = (
            1 if condition != "group_id__v = 1" or 1 in user["group_id__v"] else 0
        )
        assert len(found.data) == expected, condition
    every = await admin.query("SELECT id FROM users WHERE license_type__v = 'full__v'")
    assert {"2", "3", "4"} <= {row["id"] for row in every.data}


async def test_permissions(user: Api, admin: Api) -> None:
    one = "name__v::object.thing__c.object_actions"
    (entry,) = (
        await user.get("/objects/users/me/permissions", params={"filter": one})
    ).data
    assert entry == {
        "name__v": "object.thing__c.object_actions",
        "permissions": {"read": True, "create": True, "edit": True, "delete": False},
    }
    mine = {
        row["name__v"]: row["permissions"]
        for row in (await user.get("/objects/users/me/permissions")).data
    }
    assert mine["object.thing__c.name__v_actions"] == {"read": True, "edit": True}
    assert mine["object.thing__c.id_actions"] == {"read": True, "edit": False}
    assert mine["object.connection__sys.object_actions"]["read"] is False
    me = (await user.get("/objects/users/me")).body["users"][0]["user"]["id"]
    theirs = (
        await admin.get(f"/objects/users/{me}/permissions", params={"filter": one})
    ).data
    assert theirs == [entry]
    assert (
        await user.get("/objects/users/2/permissions")
    ).error == "INSUFFICIENT_ACCESS"
    assert (
        await user.get("/objects/users/me/permissions?filter=x")
    ).error == "INVALID_FILTER"


async def test_metadata_of_users_and_groups(integration: Api) -> None:
    for name in ("users", "groups"):
        properties = (await integration.get(f"/metadata/objects/{name}")).body[
            "properties"
        ]
        assert {
            "name",
            "type",
            "length",
            "editable",
            "queryable",
            "required",
            "multivalue",
            "onCreateEditable",
        } <= set(properties[0])
        names = [entry["name"] for entry in properties]
        assert len(names) == len(set(names))
    users = {
        e["name"]: e
        for e in (await integration.get("/metadata/objects/users")).body["properties"]
    }
    assert users["user_name__v"]["required"] is True
    me = (await integration.get("/objects/users/me")).body["users"][0]["user"]
    assert set(me) <= set(users)


async def test_security_profiles_and_permission_sets_are_components(
    integration: Api, user: Api
) -> None:
    profiles = {
        row["name"]: row
        for row in (await integration.get("/configuration/Securityprofile")).data
    }
    assert {"system_admin__v", "integration_user__v", "business_user__v"} <= set(
        profiles
    )
    assert profiles["business_user__v"]["label"] == "Business User"
    one = (await integration.get("/configuration/Permissionset.business_user__v")).data
    things = {row["name"]: row for row in one["Objectpermission"]}
    assert (
        things["business_objects__sys"]["create"],
        things["business_objects__sys"]["delete"],
    ) == (True, False)
    mdl = await integration.get("/api/mdl/components/Securityprofile.system_admin__v")
    assert mdl.text.startswith("RECREATE Securityprofile system_admin__v")
    assert (
        await user.get("/configuration/Securityprofile")
    ).error == "INSUFFICIENT_ACCESS"
