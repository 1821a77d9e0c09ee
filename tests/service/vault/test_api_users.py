"""Users through the public API: made, changed, made inactive, in step with their records and sign-ins."""

from __future__ import annotations

import re
from typing import Any

import aiohttp
import pytest

from shared.vault.assembly.vault import Vault
from tests.service.vault.people import as_user, new_user, person
from tests.service.vault.served import PASSWORD, USERNAMES, Answer, Api


def multipart(fields: dict[str, str]) -> aiohttp.FormData:
    form = aiohttp.FormData(default_to_multipart=True)
    form.add_fields(*fields.items())
    return form


async def sign_in(api: Api, username: str, password: str = PASSWORD) -> Answer:
    return await api.post("/auth", data={"username": username, "password": password})


async def shown(admin: Api, user_id: int) -> dict[str, Any]:
    (entry,) = (await admin.get(f"/objects/users/{user_id}")).body["users"]
    user: dict[str, Any] = entry["user"]
    return user


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


@pytest.mark.parametrize("form", [dict, multipart], ids=["form", "multipart"])
async def test_one_user_as_a_form(admin: Api, api: Api, form: Any) -> None:
    sent = person(
        user_title__v="Agent", user_timezone__v="Europe/Rome", security_policy_id__v="1"
    )
    answer = await admin.post("/objects/users", data=form(sent))
    assert answer.status == "SUCCESS"
    user_id = answer.body["id"]
    assert isinstance(user_id, int) and user_id >= 10_001
    user = await shown(admin, user_id)
    for name in (
        "user_name__v",
        "user_first_name__v",
        "user_email__v",
        "user_title__v",
        "user_timezone__v",
    ):
        assert user[name] == sent[name]
    assert (user["security_profile__v"], user["license_type__v"]) == (
        "business_user__v",
        "full__v",
    )
    assert (await sign_in(api, sent["user_name__v"])).body["userId"] == user_id
    record = (await admin.get(f"/vobjects/user__sys/{user_id}")).data
    assert (record["id"], record["username__sys"]) == (
        str(user_id),
        sent["user_name__v"],
    )


@pytest.mark.parametrize("kind", ["json", "csv"])
async def test_many_users(admin: Api, api: Api, vault: Vault, kind: str) -> None:
    rows = [
        person(),
        person(
            vault_membership=f"{vault.vault_id}:true:integration_user__v:read_only__v"
        ),
        person(user_last_name__v=""),
        person(vault_membership="1:true"),
        person(user_name__v=USERNAMES["admin"]),
    ]
    if kind == "json":
        answer = await admin.post("/objects/users", json=rows)
    else:
        names = sorted({name for row in rows for name in row})
        lines = [
            ",".join(names),
            *(",".join(str(row.get(n) or "") for n in names) for row in rows),
        ]
        text = "\n".join(lines)
        answer = await admin.post(
            "/objects/users", data=text.encode(), headers={"Content-Type": "text/csv"}
        )
    assert answer.status == "SUCCESS"
    first, second, third, fourth, fifth = answer.data
    assert first["responseStatus"] == second["responseStatus"] == "SUCCESS"
    assert isinstance(first["id"], str)
    user = await shown(admin, int(second["id"]))
    assert (user["security_profile__v"], user["license_type__v"]) == (
        "integration_user__v",
        "read_only__v",
    )
    assert third["errors"][0]["type"] == "PARAMETER_REQUIRED"
    assert fourth["errors"][0]["type"] == "INVALID_DATA"
    assert fifth["errors"][0]["type"] == "OPERATION_NOT_ALLOWED"
    assert (await sign_in(api, rows[1]["user_name__v"])).status == "SUCCESS"


async def test_upsert(admin: Api) -> None:
    user_id, username = await new_user(admin)
    fresh = person()
    rows = [{"user_name__v": username, "user_title__v": "Changed"}, fresh]
    answer = await admin.post(
        "/objects/users?operation=upsert&idParam=user_name__v", json=rows
    )
    assert [row["responseStatus"] for row in answer.data] == ["SUCCESS", "SUCCESS"]
    assert answer.data[0]["id"] == str(user_id)
    user = await shown(admin, user_id)
    assert (user["user_title__v"], user["user_first_name__v"]) == ("Changed", "Perso")
    by_id = await admin.post(
        "/objects/users?operation=upsert&idParam=id",
        json=[{"id": user_id, "fax__v": "1"}],
    )
    assert by_id.data[0]["responseStatus"] == "SUCCESS"
    assert (
        await admin.post("/objects/users?operation=upsert&idParam=fax__v", json=rows)
    ).error == "INVALID_DATA"
    assert (
        await admin.post("/objects/users?operation=replace", json=rows)
    ).error == "INVALID_DATA"


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"user_name__v": ""}, "PARAMETER_REQUIRED"),
        ({"nothing__v": "x"}, "ATTRIBUTE_NOT_SUPPORTED"),
        ({"is_domain_admin__v": "true"}, "ATTRIBUTE_NOT_SUPPORTED"),
        ({"active__v": "perhaps"}, "INVALID_DATA"),
        ({"security_profile__v": "vault_owner__v"}, "INVALID_DATA"),
        ({"password__v": "short"}, "INVALID_DATA"),
        ({"user_email__v": "x" * 300}, "INVALID_DATA"),
    ],
)
async def test_users_that_cannot_be(
    admin: Api, fields: dict[str, str], error: str
) -> None:
    answer = await admin.post("/objects/users", data=person(**fields))
    assert (answer.status, answer.error) == ("FAILURE", error)
    assert "x" * 20 not in answer.text


async def test_no_rows_or_too_many(admin: Api) -> None:
    assert (await admin.post("/objects/users", json=[])).error == "PARAMETER_REQUIRED"
    assert (
        await admin.put("/objects/users", json=[{"id": 2}] * 501)
    ).error == "INVALID_DATA"
    assert (await admin.put("/objects/users", json=[{"fax__v": "1"}])).data[0][
        "errors"
    ][0]["type"] == ("PARAMETER_REQUIRED")


async def test_a_user_made_as_a_record(admin: Api, api: Api) -> None:
    sent = person()
    row = {
        "name__v": "Perso N",
        "username__sys": sent["user_name__v"],
        "security_profile__sys": "business_user__v",
        "first_name__sys": "Perso",
    }
    (user_id,) = (await admin.post("/vobjects/user__sys", json=[row])).ids
    assert user_id.isdigit()
    assert (await shown(admin, int(user_id)))["user_name__v"] == row["username__sys"]
    assert (
        await sign_in(api, row["username__sys"])
    ).error == "USERNAME_OR_PASSWORD_INCORRECT"
    assert (
        await admin.put(f"/objects/users/{user_id}", data={"password__v": PASSWORD})
    ).status == "SUCCESS"
    assert (await sign_in(api, row["username__sys"])).status == "SUCCESS"
    renamed = f"renamed.{row['username__sys']}"
    await admin.put(
        "/vobjects/user__sys", json=[{"id": user_id, "username__sys": renamed}]
    )
    assert (
        await sign_in(api, row["username__sys"])
    ).error == "USERNAME_OR_PASSWORD_INCORRECT"
    assert (await sign_in(api, renamed)).status == "SUCCESS"


@pytest.mark.parametrize("how", ["users", "disable", "record", "membership"])
async def test_inactive_users(admin: Api, api: Api, vault: Vault, how: str) -> None:
    user_id, username = await new_user(admin)
    session = await as_user(api, username)
    match how:
        case "users":
            answer = await admin.put(
                f"/objects/users/{user_id}", data={"active__v": "false"}
            )
        case "disable":
            answer = await admin.delete(f"/objects/users/{user_id}")
        case "record":
            answer = await admin.put(
                "/vobjects/user__sys",
                json=[{"id": str(user_id), "status__v": "inactive__v"}],
            )
        case _:
            path = f"/objects/users/{user_id}/vault_membership/{vault.vault_id}"
            answer = await admin.put(path, data={"active__v": "false"})
    assert answer.status == "SUCCESS"
    assert (await sign_in(api, username)).error == "INACTIVE_USER"
    assert (await session.post("/keep-alive")).error == "INVALID_SESSION_ID"
    assert (await shown(admin, user_id))["active__v"] is False
    await admin.put(f"/objects/users/{user_id}", json={"active__v": True})
    assert (await session.post("/keep-alive")).error == "INVALID_SESSION_ID"
    assert (await sign_in(api, username)).status == "SUCCESS"


async def test_users_are_not_deleted(admin: Api) -> None:
    user_id, _ = await new_user(admin)
    answer = await admin.delete("/vobjects/user__sys", json=[{"id": str(user_id)}])
    assert answer.data[0]["errors"][0]["type"] == "OPERATION_NOT_ALLOWED"
    assert (await shown(admin, user_id))["active__v"] is True


async def test_what_nobody_may_change(admin: Api) -> None:
    assert (await admin.delete("/objects/users/me")).error == "OPERATION_NOT_ALLOWED"
    assert (
        await admin.put("/objects/users/1", data={"user_title__v": "x"})
    ).error == "OPERATION_NOT_ALLOWED"
    assert (
        await admin.put("/objects/users/987654", data={"user_title__v": "x"})
    ).error == "INVALID_DATA"
    assert (
        await admin.put("/objects/users/2/vault_membership/1", data={})
    ).error == "INVALID_DATA"


async def test_everyone_changes_themselves_within_limits(admin: Api, api: Api) -> None:
    user_id, username = await new_user(admin)
    session = await as_user(api, username)
    answer = await session.put(
        "/objects/users/me", data={"user_title__v": "Doctor", "user_language__v": "it"}
    )
    assert answer.body == {"responseStatus": "SUCCESS", "id": user_id}
    user = await shown(admin, user_id)
    assert (user["user_title__v"], user["user_language__v"]) == ("Doctor", "it")
    assert user["modified_by__v"] == user_id
    for field in (
        "security_profile__v",
        "user_name__v",
        "active__v",
        "password__v",
        "license_type__v",
    ):
        refused = await session.put(
            "/objects/users/me", data={field: "system_admin__v"}
        )
        assert refused.error == "INSUFFICIENT_ACCESS"
    assert (
        await session.put("/objects/users/2", data={"user_title__v": "x"})
    ).error == "INSUFFICIENT_ACCESS"
    assert (await session.get("/objects/users/2")).error == "INSUFFICIENT_ACCESS"
    assert (await session.get(f"/objects/users/{user_id}")).status == "SUCCESS"


async def test_a_changed_profile_counts_at_once(admin: Api, api: Api) -> None:
    user_id, username = await new_user(admin)
    session = await as_user(api, username)
    assert (await session.get("/objects/users")).error == "INSUFFICIENT_ACCESS"
    await admin.put(
        f"/objects/users/{user_id}", data={"security_profile__v": "integration_user__v"}
    )
    assert (await session.get("/objects/users")).status == "SUCCESS"


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


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("user_name__v", "x" * 300),
        ("user_first_name__v", ["A"]),
        ("user_email__v", "no address"),
        ("office_phone__v", [1]),
        ("user_language__v", "y" * 300),
        ("security_profile__v", "vault_owner__v"),
        ("license_type__v", "free__v"),
        ("domain_active__v", "perhaps"),
        ("user_needs_to_change_password__v", "perhaps"),
        ("nothing__v", "z"),
    ],
)
async def test_an_error_names_the_field_that_was_sent(
    admin: Api, user: Api, name: str, value: object
) -> None:
    created = await admin.post("/objects/users", json=[{**person(), name: value}])
    me = (await user.get("/objects/users/me")).body["users"][0]["user"]["id"]
    changed = await admin.put("/objects/users", json=[{"id": me, name: value}])
    for answer in (created, changed):
        (error,) = answer.data[0]["errors"]
        assert re.findall(r"\[(\w+)\]", error["message"])[0] == name


@pytest.mark.parametrize("user_id", ["0", "987654321012345678"])
async def test_users_who_are_not(admin: Api, user_id: str) -> None:
    assert (await admin.get(f"/objects/users/{user_id}")).error == "USER_NOT_FOUND"


@pytest.mark.parametrize("user_id", ["you", "-1", "1.5", "9" * 30])
async def test_ids_that_are_none(admin: Api, user_id: str) -> None:
    assert (await admin.get(f"/objects/users/{user_id}")).error == "INVALID_DATA"


async def test_change_my_password(admin: Api, api: Api) -> None:
    _, username = await new_user(admin)
    first, second = await as_user(api, username), await as_user(api, username)
    fields = {"password__v": PASSWORD, "new_password__v": "another of a test"}
    assert (
        await first.post(
            "/objects/users/me/password", data={**fields, "password__v": "wrong"}
        )
    ).error == ("USERNAME_OR_PASSWORD_INCORRECT")
    for new, error in (
        ("short", "INVALID_DATA"),
        (PASSWORD, "INVALID_DATA"),
        ("", "PARAMETER_REQUIRED"),
    ):
        refused = await first.post(
            "/objects/users/me/password", data={**fields, "new_password__v": new}
        )
        assert refused.error == error
    assert (await first.post("/objects/users/me/password", data=fields)).body == {
        "responseStatus": "SUCCESS"
    }
    assert (await first.post("/keep-alive")).status == "SUCCESS"
    assert (await second.post("/keep-alive")).error == "INVALID_SESSION_ID"
    assert (await sign_in(api, username)).error == "USERNAME_OR_PASSWORD_INCORRECT"
    assert (await sign_in(api, username, "another of a test")).status == "SUCCESS"


async def test_a_password_is_changed_by_the_id_of_its_user(
    admin: Api, api: Api
) -> None:
    user_id, username = await new_user(admin)
    own = await as_user(api, username)
    fields = {"password__v": PASSWORD, "new_password__v": "another of a test"}
    for client, other in ((own, 2), (admin, user_id)):
        refused = await client.post(f"/objects/users/{other}/password", data=fields)
        assert refused.error == "INSUFFICIENT_ACCESS"
    changed = await own.post(f"/objects/users/{user_id}/password", data=fields)
    assert changed.status == "SUCCESS"
    assert (await sign_in(api, username, "another of a test")).status == "SUCCESS"
    unknown = await api.post(f"/objects/users/{user_id}/password", data=fields)
    assert unknown.error == "INVALID_SESSION_ID"


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


async def test_a_password_that_must_be_changed(admin: Api, api: Api) -> None:
    user_id, username = await new_user(admin, user_needs_to_change_password__v="true")
    assert (await sign_in(api, username)).error == "PASSWORD_CHANGE_REQUIRED"
    assert (
        await sign_in(api, username, "wrong")
    ).error == "USERNAME_OR_PASSWORD_INCORRECT"
    assert (await shown(admin, user_id))["user_needs_to_change_password__v"] is True
    fields = {"password__v": PASSWORD, "new_password__v": "another of a test"}
    assert (
        await api.post("/objects/users/me/password", data=fields)
    ).error == "INVALID_SESSION_ID"
    answer = await api.post(
        "/objects/users/me/password", data={**fields, "username": username}
    )
    assert answer.status == "SUCCESS"
    assert (await sign_in(api, username, "another of a test")).status == "SUCCESS"
    await admin.put(
        f"/objects/users/{user_id}", data={"user_needs_to_change_password__v": "true"}
    )
    assert (
        await sign_in(api, username, "another of a test")
    ).error == "PASSWORD_CHANGE_REQUIRED"


async def test_an_administrator_resets_a_password(admin: Api, api: Api) -> None:
    user_id, username = await new_user(admin)
    session = await as_user(api, username)
    answer = await admin.put(
        f"/objects/users/{user_id}", data={"password__v": "reset by a test"}
    )
    assert answer.status == "SUCCESS"
    assert (await session.post("/keep-alive")).error == "INVALID_SESSION_ID"
    assert (await sign_in(api, username, "reset by a test")).status == "SUCCESS"


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
