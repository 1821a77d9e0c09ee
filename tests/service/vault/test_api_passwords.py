"""Passwords changed and reset through the public API."""

from __future__ import annotations

from tests.service.vault.people import as_user, new_user
from tests.service.vault.served import PASSWORD, Api
from tests.service.vault.user_forms import shown, sign_in


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
