"""Signing in and out through the public API: sessions begin, are used, and end."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from shared.vault.assembly.vault import Vault
from shared.vault.security.sign_in_limits import MAX_FAILURES
from tests.service.vault.served import PASSWORD, USERNAMES, Api

ADMIN = {"username": USERNAMES["admin"], "password": PASSWORD}


def multipart(fields: dict[str, str]) -> aiohttp.FormData:
    form = aiohttp.FormData(default_to_multipart=True)
    form.add_fields(*fields.items())
    return form


@pytest.mark.parametrize(
    "body",
    [
        {"data": ADMIN},
        {"data": {**ADMIN, "vaultDNS": "", "extra": "x"}},
        {"json": ADMIN},
    ],
    ids=["form", "empty vaultDNS", "json"],
)
async def test_sign_in(api: Api, vault: Vault, body: dict[str, Any]) -> None:
    answer = await api.post("/auth", **body)
    assert answer.status == "SUCCESS"
    assert answer.body["vaultId"] == vault.vault_id
    assert answer.body["vaultIds"] == [
        {"id": vault.vault_id, "name": "Medical Vault", "url": f"{api.url}/api"}
    ]
    assert answer.headers["X-VaultAPI-UserId"] == str(answer.body["userId"])


async def test_sign_in_with_a_multipart_form(api: Api) -> None:
    assert (await api.post("/auth", data=multipart(ADMIN))).status == "SUCCESS"


async def test_the_vault_answers_by_the_name_it_was_asked_for(api: Api) -> None:
    answer = await api.post("/auth", data={**ADMIN, "vaultDNS": "localhost:8443"})
    assert answer.body["vaultIds"][0]["url"] == "http://localhost:8443/api"
    # A host that is not this Vault's is not repeated, wherever it is sent.
    for forged in (
        {"data": {**ADMIN, "vaultDNS": "evil.example"}},
        {"data": ADMIN, "headers": {"Host": "evil.example"}},
    ):
        answer = await api.post("/auth", **forged)
        assert answer.status == "SUCCESS", answer.text
        assert "evil" not in answer.text


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        (
            {"username": USERNAMES["user"], "password": "wrong"},
            "USERNAME_OR_PASSWORD_INCORRECT",
        ),
        (
            {"username": "nobody@vault.example", "password": PASSWORD},
            "USERNAME_OR_PASSWORD_INCORRECT",
        ),
        ({"password": PASSWORD}, "USERNAME_OR_PASSWORD_INCORRECT"),
        ({"username": USERNAMES["user"]}, "NO_PASSWORD_PROVIDED"),
        ({"username": USERNAMES["user"], "password": ""}, "NO_PASSWORD_PROVIDED"),
    ],
)
async def test_refused_sign_ins(api: Api, fields: dict[str, str], error: str) -> None:
    answer = await api.post("/auth", data=fields)
    assert (answer.http_status, answer.status, answer.error) == (200, "FAILURE", error)
    assert answer.body["errorType"] == "AUTHENTICATION_FAILED"
    assert "X-VaultAPI-UserId" not in answer.headers


async def test_a_user_who_guesses_is_locked_out(api: Api) -> None:
    guess = {"username": "guessed@vault.example", "password": "guess"}
    # From an address of its own: other tests sign new users in from this machine's.
    headers = {"X-Forwarded-For": "192.0.2.99"}
    errors = [
        (await api.post("/auth", data=guess, headers=headers)).error
        for _ in range(MAX_FAILURES + 1)
    ]
    assert errors == ["USERNAME_OR_PASSWORD_INCORRECT"] * MAX_FAILURES + [
        "USER_LOCKED_OUT"
    ]


async def test_a_session_may_be_sent_raw_or_as_bearer(admin: Api, api: Api) -> None:
    for header in (admin.session_id, f"Bearer {admin.session_id}"):
        answer = await api.post("/keep-alive", headers={"Authorization": str(header)})
        assert answer.status == "SUCCESS"
        assert (
            answer.headers["X-VaultAPI-TruncatedSessionId"] == str(admin.session_id)[:8]
        )


@pytest.mark.parametrize(
    "header", [None, "unknown", "Bearer unknown", "Bearer ", "x" * 5000]
)
async def test_without_a_live_session(api: Api, header: str | None) -> None:
    answer = await api.get(
        "/objects/users/me",
        headers={"Authorization": header} if header is not None else {},
    )
    assert (answer.http_status, answer.status, answer.error) == (
        200,
        "FAILURE",
        "INVALID_SESSION_ID",
    )


async def test_sign_out_ends_this_session_and_no_other(api: Api) -> None:
    first, second = await api.signed_in("user"), await api.signed_in("user")
    assert (await first.delete("/session")).status == "SUCCESS"
    assert (await first.post("/keep-alive")).error == "INVALID_SESSION_ID"
    assert (await second.post("/keep-alive")).status == "SUCCESS"


@pytest.mark.parametrize(
    ("change", "alive"),
    [
        ("used_date = now() - interval '59 minutes'", True),
        ("used_date = now() - interval '61 minutes'", False),
        ("created_date = now() - interval '47 hours'", True),
        ("created_date = now() - interval '49 hours'", False),
    ],
)
async def test_sessions_expire(
    api: Api, vault: Vault, change: str, alive: bool
) -> None:
    client = await api.signed_in("user")
    async with vault.database.connection() as connection:
        await connection.execute(
            f"UPDATE platform.session SET {change} WHERE token_hash = sha256($1::bytea)",
            str(client.session_id).encode(),
        )
    assert (await client.get("/objects/users/me")).status == (
        "SUCCESS" if alive else "FAILURE"
    )
    async with vault.database.connection() as connection:
        fresh = await connection.fetchval(
            "SELECT used_date > now() - interval '1 minute' FROM platform.session WHERE token_hash = sha256($1::bytea)",
            str(client.session_id).encode(),
        )
    if alive:
        assert fresh


async def test_session_ids_are_not_stored(admin: Api, vault: Vault) -> None:
    async with vault.database.connection() as connection:
        stored = await connection.fetch("SELECT token_hash FROM platform.session")
    assert all(
        str(admin.session_id).encode() not in row["token_hash"] for row in stored
    )


async def test_versions(api: Api, admin: Api) -> None:
    for answer in (
        await api.get("/api"),
        await api.get("/api/"),
        await admin.get("/api/v24.3"),
    ):
        values = answer.body["values"]
        assert values["v25.1"] == f"{api.url}/api/v25.1"
        assert {"v24.1", "v26.3"} <= set(values)
    assert (await api.get("/api/v25.1")).error == "INVALID_SESSION_ID"
    assert (
        await api.get("/api/", headers={"Authorization": "unknown"})
    ).error == "INVALID_SESSION_ID"


async def test_versions_behind_a_proxy(api: Api) -> None:
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "vault.localhost"}
    assert (await api.get("/api/", headers=headers)).body["values"][
        "v25.1"
    ] == "https://vault.localhost/api/v25.1"


@pytest.mark.parametrize("version", ["v7.0", "v24.3", "v26.3", "v99.1"])
async def test_every_well_formed_version_is_served(admin: Api, version: str) -> None:
    assert (await admin.post(f"/api/{version}/keep-alive")).status == "SUCCESS"


@pytest.mark.parametrize(
    "path", ["/nothing", "/vobjects", "/api/25.1/auth", "/api/v25/auth", "/api/mdl"]
)
async def test_unknown_paths(admin: Api, path: str) -> None:
    answer = await admin.get(path)
    assert (answer.http_status, answer.error) == (200, "MALFORMED_URL")
    assert answer.headers["X-VaultAPI-Status"] == "FAILURE"


async def test_a_wrong_verb(admin: Api) -> None:
    answer = await admin.put("/query")
    assert (answer.http_status, answer.error) == (200, "METHOD_NOT_SUPPORTED")


async def test_headers_of_every_answer(admin: Api) -> None:
    answer = await admin.get("/nothing", headers={"X-VaultAPI-ReferenceId": "ref-1"})
    assert answer.headers["X-VaultAPI-ReferenceId"] == "ref-1"
    assert answer.headers["X-VaultAPI-Status"] == "FAILURE"
    for name in ("ExecutionId", "BurstLimit", "BurstLimitRemaining"):
        assert answer.headers[f"X-VaultAPI-{name}"]
