"""Signing in: once for all calls, again when the session has expired, and never many times at once."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from shared.client import UnexpectedAnswer, VaultClient, VaultRefused
from tests.unit.client.fake_vault import FaultyVault, success

RECORD = "/api/v25.1/vobjects/account__v/V1"


async def record(_request: web.Request) -> web.StreamResponse:
    return success(data={"id": "V1"})


async def test_many_tasks_share_one_sign_in(
    vault: FaultyVault, client: VaultClient
) -> None:
    vault.on(RECORD, record)
    await asyncio.gather(*(client.record("account__v", "V1") for _ in range(20)))
    assert vault.sign_ins == 1
    assert (client.vault_id, client.user_id) == (10101, 7)


async def test_nothing_is_known_before_the_first_call(client: VaultClient) -> None:
    with pytest.raises(RuntimeError, match="not signed in"):
        _ = client.vault_id


async def test_an_expired_session_is_renewed_once_for_all_and_the_calls_replayed(
    vault: FaultyVault, client: VaultClient
) -> None:
    vault.on(RECORD, record)
    await client.sign_in()
    vault.valid_sessions.clear()
    answers = await asyncio.gather(
        *(client.record("account__v", "V1") for _ in range(20))
    )
    assert answers == [{"id": "V1"}] * 20
    assert vault.sign_ins == 2


async def test_a_call_is_replayed_once_only(
    vault: FaultyVault, client: VaultClient
) -> None:
    await client.sign_in()

    class Never(set[str]):
        def add(self, _session: str, /) -> None:
            return

    vault.valid_sessions = Never()
    with pytest.raises(VaultRefused) as caught:
        await client.record("account__v", "V1")
    assert caught.value.type == "INVALID_SESSION_ID"
    assert vault.sign_ins == 2


async def test_a_wrong_password_is_not_tried_again_by_those_who_waited(
    vault: FaultyVault,
) -> None:
    vault.sign_in_gate = asyncio.Event()
    async with VaultClient(vault.url, "connector", "wrong") as client:
        tasks = [
            asyncio.create_task(client.record("account__v", "V1")) for _ in range(10)
        ]
        await vault.signing_in.wait()
        vault.sign_in_gate.set()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert [getattr(outcome, "type", None) for outcome in outcomes] == [
            "USERNAME_OR_PASSWORD_INCORRECT"
        ] * 10
        assert vault.sign_ins == 1
        with pytest.raises(VaultRefused):
            await client.sign_in()
        assert vault.sign_ins == 2


async def test_one_that_gives_up_does_not_take_the_others_with_it(
    vault: FaultyVault, client: VaultClient
) -> None:
    vault.on(RECORD, record)
    vault.sign_in_gate = asyncio.Event()
    first, *others = [
        asyncio.create_task(client.record("account__v", "V1")) for _ in range(3)
    ]
    await vault.signing_in.wait()
    first.cancel()
    vault.sign_in_gate.set()
    assert await asyncio.gather(*others) == [{"id": "V1"}] * 2


async def test_signing_out_ends_the_session(
    vault: FaultyVault, client: VaultClient
) -> None:
    async def end(_request: web.Request) -> web.StreamResponse:
        return success()

    vault.on("/api/v25.1/session", end)
    vault.on(RECORD, record)
    await client.sign_out()
    await client.sign_in()
    await client.sign_out()
    assert vault.calls[-1] == ("DELETE", "/api/v25.1/session")
    await client.record("account__v", "V1")
    assert vault.sign_ins == 2


@pytest.mark.parametrize(
    "answer",
    [
        {"sessionId": "a\r\nX: y", "userId": 1, "vaultId": 2},
        {"sessionId": "é", "userId": 1, "vaultId": 2},
        {"sessionId": "x" * 5000, "userId": 1, "vaultId": 2},
        {"sessionId": None, "userId": 1, "vaultId": 2},
        {"sessionId": "s", "userId": "1", "vaultId": 2},
        {"sessionId": "s", "userId": 1, "vaultId": True},
    ],
)
async def test_a_session_of_another_shape_is_refused(
    vault: FaultyVault,
    client: VaultClient,
    answer: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def auth(_request: web.Request) -> web.StreamResponse:
        return success(**answer)

    monkeypatch.setattr(vault, "_auth", auth)
    with pytest.raises(UnexpectedAnswer):
        await client.sign_in()


async def test_a_client_of_another_session_calls_in_it_and_ends_with_it(
    vault: FaultyVault, client: VaultClient
) -> None:
    async def me(_request: web.Request) -> web.StreamResponse:
        return success(users=[{"user": {"id": 9}}])

    vault.on(RECORD, record)
    vault.on("/api/v25.1/objects/users/me", me)
    await client.sign_in()
    vault.valid_sessions.add("another")
    other = client.for_session("another")
    assert await other.record("account__v", "V1") == {"id": "V1"}
    assert (other.user_id, client.user_id, vault.sign_ins) == (9, 7, 1)
    vault.valid_sessions.discard("another")
    with pytest.raises(VaultRefused) as caught:
        await other.record("account__v", "V1")
    assert caught.value.type == "INVALID_SESSION_ID"
    assert vault.sign_ins == 1


@pytest.mark.parametrize(
    "session_id",
    ["", " ", "Bearer", "Bearer  ", "two parts", "ü", "a\nb", "a\x00", "x" * 4097],
    ids=range(9),
)
async def test_what_cannot_be_a_session_costs_no_call(
    vault: FaultyVault, client: VaultClient, session_id: str
) -> None:
    with pytest.raises(VaultRefused) as caught:
        await client.user_of(session_id)
    assert (caught.value.type, vault.calls) == ("INVALID_SESSION_ID", [])


@pytest.mark.parametrize("session_id", ["another", "Bearer another"])
async def test_what_may_be_a_session_is_asked_about(
    vault: FaultyVault, client: VaultClient, session_id: str
) -> None:
    async def me(_request: web.Request) -> web.StreamResponse:
        return success(users=[{"user": {"id": 9}}])

    vault.on("/api/v25.1/objects/users/me", me)
    vault.valid_sessions.add(session_id)
    assert await client.user_of(session_id) == {"id": 9}
