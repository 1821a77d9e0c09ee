"""API access tokens: shown once, used instead of a session, ended by time, by revocation, with their user."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.vault.assembly.vault import Vault
from shared.vault.security.access_tokens import MAX_TOKENS
from tests.service.vault.people import as_user, new_user
from tests.service.vault.served import Api

PATH = "/objects/users/me/api_access_token__sys"


async def generated(session: Api, path: str = PATH, **fields: str) -> tuple[str, Api]:
    answer = await session.post(path, data={"name__v": "key", **fields})
    assert answer.status == "SUCCESS", answer.text
    assert answer.data["token__sys"].startswith("veeva-vault-")
    return answer.data["id"], replace(
        session, session_id=f"Bearer {answer.data['token__sys']}"
    )


async def test_a_token_is_used_instead_of_a_session(admin: Api, api: Api) -> None:
    user_id, username = await new_user(admin)
    token_id, bearer = await generated(
        await as_user(api, username), expiry_date__v="2099-12-31T12:00:00Z"
    )
    answer = await bearer.get("/objects/users/me")
    assert answer.body["users"][0]["user"]["id"] == user_id
    assert answer.headers["X-VaultAPI-UserId"] == str(user_id)
    assert (await bearer.get("/api/v25.1")).status == "SUCCESS"
    assert (await bearer.delete("/session")).status == "SUCCESS"
    assert (await bearer.post("/keep-alive")).status == "SUCCESS"
    (listed,) = (await bearer.get(PATH)).data
    assert (listed["id"], listed["name__v"], listed["user__sys"]) == (
        token_id,
        "key",
        str(user_id),
    )
    assert listed["expiry_date__sys"] == "2099-12-31T12:00:00.000Z"
    assert listed["last_used_date__sys"].endswith("Z")
    assert "token__sys" not in listed


async def test_tokens_are_stored_as_digests(admin: Api, vault: Vault) -> None:
    _, bearer = await generated(admin)
    async with vault.database.connection() as connection:
        rows = await connection.fetch(
            "SELECT t::text AS row FROM platform.api_access_token t"
        )
    assert all(str(bearer.session_id)[-20:] not in row["row"] for row in rows)


async def test_a_revoked_token(admin: Api, api: Api) -> None:
    _, username = await new_user(admin)
    session = await as_user(api, username)
    token_id, bearer = await generated(session)
    assert (await admin.delete(f"{PATH}/{token_id}")).error == "INVALID_DATA"
    assert (await session.delete(f"{PATH}/{token_id}")).status == "SUCCESS"
    assert (await bearer.post("/keep-alive")).error == "INVALID_SESSION_ID"
    assert (await session.get(PATH)).data == []


async def test_an_expired_token(admin: Api, vault: Vault) -> None:
    token_id, bearer = await generated(admin, expiry_date__v="2099-01-01")
    async with vault.database.connection() as connection:
        sql = "UPDATE platform.api_access_token SET expiry_date = now() - interval '1 second' WHERE id = $1"
        await connection.execute(sql, token_id)
    assert (await bearer.post("/keep-alive")).error == "INVALID_SESSION_ID"
    shown = next(
        token for token in (await admin.get(PATH)).data if token["id"] == token_id
    )
    assert shown["status__v"] == ["inactive__v"]


async def test_tokens_of_an_inactive_user(admin: Api, api: Api) -> None:
    user_id, username = await new_user(admin)
    _, bearer = await generated(await as_user(api, username))
    await admin.delete(f"/objects/users/{user_id}")
    assert (await bearer.post("/keep-alive")).error == "INVALID_SESSION_ID"


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({}, "PARAMETER_REQUIRED"),
        ({"name__v": "x" * 129}, "INVALID_DATA"),
        ({"name__v": "x", "expiry_date__v": "soon"}, "INVALID_DATA"),
        ({"name__v": "x", "expiry_date__v": "2020-01-01T00:00:00Z"}, "INVALID_DATA"),
        (
            {"name__v": "x", "expiry_date__v": "9999-12-31T23:59:59-23:59"},
            "INVALID_DATA",
        ),
    ],
)
async def test_tokens_that_cannot_be(
    admin: Api, fields: dict[str, str], error: str
) -> None:
    assert (await admin.post(PATH, data=fields)).error == error


async def test_a_user_has_so_many(admin: Api, api: Api) -> None:
    _, username = await new_user(admin)
    session = await as_user(api, username)
    for _ in range(MAX_TOKENS):
        await generated(session)
    assert (
        await session.post(PATH, data={"name__v": "key"})
    ).error == "OPERATION_NOT_ALLOWED"


async def test_an_administrator_makes_tokens_for_others(admin: Api, user: Api) -> None:
    user_id, _ = await new_user(admin)
    path = f"/objects/users/{user_id}/api_access_token__sys"
    _, bearer = await generated(admin, path)
    assert (await bearer.get("/objects/users/me")).body["users"][0]["user"][
        "id"
    ] == user_id
    assert (await user.post(path, data={"name__v": "x"})).error == "INSUFFICIENT_ACCESS"
    assert (await user.get(path)).error == "INSUFFICIENT_ACCESS"
    nobody = "/objects/users/987654/api_access_token__sys"
    assert (await admin.post(nobody, data={"name__v": "x"})).error == "USER_NOT_FOUND"


@pytest.mark.parametrize(
    "token", ["veeva-vault-", "veeva-vault-" + "0" * 64, "veeva-vault-" + "x" * 5000]
)
async def test_tokens_that_nobody_has(api: Api, token: str) -> None:
    answer = await api.get(
        "/objects/users/me", headers={"Authorization": f"Bearer {token}"}
    )
    assert answer.error == "INVALID_SESSION_ID"
