"""Users made, changed and made inactive through the public API, in step with their records and sign-ins."""

from __future__ import annotations

import re
from typing import Any

import pytest

from shared.vault.assembly.vault import Vault
from shared.vault.security.user_fields import OWN
from tests.service.vault.people import as_user, new_user, person
from tests.service.vault.served import PASSWORD, USERNAMES, Api
from tests.service.vault.user_forms import multipart, shown, sign_in


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
        ({"user_timezone__v": "Mars/Olympus"}, "INVALID_DATA"),
        ({"user_locale__v": "english"}, "INVALID_DATA"),
        ({"user_language__v": "??"}, "INVALID_DATA"),
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


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("user_first_name__v", "", "PARAMETER_REQUIRED"),
        ("user_last_name__v", "", "PARAMETER_REQUIRED"),
        ("user_email__v", "", "PARAMETER_REQUIRED"),
        ("user_timezone__v", "Mars/Olympus", "INVALID_DATA"),
        ("user_locale__v", "english", "INVALID_DATA"),
        ("user_language__v", "??", "INVALID_DATA"),
    ],
)
@pytest.mark.parametrize("how", ["one", "many", "me", "record", "upsert"])
async def test_no_change_makes_a_user_that_cannot_be(
    admin: Api, api: Api, how: str, field: str, value: str, error: str
) -> None:
    user_id, username = await new_user(admin)
    before = await shown(admin, user_id)
    sent: dict[str, str | int] = {field: value}
    match how:
        case "one":
            answer = await admin.put(f"/objects/users/{user_id}", data=sent)
        case "many":
            answer = await admin.put("/objects/users", json=[sent | {"id": user_id}])
        case "me":
            session = await as_user(api, username)
            answer = await session.put("/objects/users/me", data=sent)
            before |= {"last_login__v": (await shown(admin, user_id))["last_login__v"]}
        case "record":
            row = {"id": str(user_id), OWN[field]: value}
            answer = await admin.put("/vobjects/user__sys", json=[row])
        case _:
            path = "/objects/users?operation=upsert&idParam=user_name__v"
            row = person(user_name__v=username, **{field: value})
            answer = await admin.post(path, json=[row])
    (refused,) = answer.body.get("data", [answer.body])
    (problem,) = refused["errors"]
    assert problem["type"] == error
    assert (OWN[field] if how == "record" else field) in problem["message"]
    assert await shown(admin, user_id) == before


async def test_the_full_name_follows_unless_it_is_another_one(admin: Api) -> None:
    user_id, _ = await new_user(admin)
    for changes, name in (
        ({"first_name__sys": "Ada", "last_name__sys": "Reader"}, "Ada Reader"),
        ({"last_name__sys": "Writer"}, "Ada Writer"),
        ({"last_name__sys": "Editor", "name__v": "The Editor"}, "The Editor"),
        ({"first_name__sys": "Eve"}, "The Editor"),
    ):
        row = {"id": str(user_id), **changes}
        assert (await admin.put("/vobjects/user__sys", json=[row])).status == "SUCCESS"
        stored = await admin.get(f"/vobjects/user__sys/{user_id}")
        assert stored.data["name__v"] == name


async def test_a_changed_profile_counts_at_once(admin: Api, api: Api) -> None:
    user_id, username = await new_user(admin)
    session = await as_user(api, username)
    assert (await session.get("/objects/users")).error == "INSUFFICIENT_ACCESS"
    await admin.put(
        f"/objects/users/{user_id}", data={"security_profile__v": "integration_user__v"}
    )
    assert (await session.get("/objects/users")).status == "SUCCESS"


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


@pytest.mark.parametrize("policy", ["2", 7, "strict"])
async def test_a_security_policy_that_is_not_here_is_refused(
    admin: Api, policy: object
) -> None:
    user_id, _ = await new_user(admin)
    for value, status in ((policy, "FAILURE"), ("1", "SUCCESS"), ("", "SUCCESS")):
        data = {"security_policy_id__v": str(value), "user_title__v": "Agent"}
        answer = await admin.put(f"/objects/users/{user_id}", data=data)
        assert answer.status == status, answer.text
