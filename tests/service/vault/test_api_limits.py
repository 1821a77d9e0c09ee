"""Limits: calls of a user and sign-ins of a user name are counted by all processes together; answers show delays."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from local.servers import PostgresServer, RabbitServer
from services.medical_vault.definition import MEDICAL_VAULT
from shared.vault.api.api_app import create_api
from shared.vault.assembly.vault import Vault
from shared.vault.process.application import create_app
from shared.vault.security.sign_in_limits import MAX_FAILURES
from tests.servers import fresh_vhost
from tests.service.vault.served import (
    PASSWORD,
    USERNAMES,
    Api,
    served,
    settings,
    started,
)
from tests.service.vault.vault_databases import vault_database

LIMIT = 6
SIGN_INS = 8


@pytest.fixture(scope="module")
async def two(
    postgres_server: PostgresServer,
    rabbitmq_server: RabbitServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[tuple[Vault, Api, Vault, Api]]:
    """Two processes of one Vault, with low limits."""
    async with (
        vault_database(postgres_server, MEDICAL_VAULT) as dsn,
        fresh_vhost(rabbitmq_server) as vhost,
    ):
        limits = {"burst_limit": LIMIT, "burst_delay_ms": 1, "sign_in_limit": SIGN_INS}
        chosen = settings(
            dsn, vhost.amqp_url, tmp_path_factory.mktemp("files")
        ).model_copy(update=limits)
        one, other = Vault(MEDICAL_VAULT, chosen), Vault(MEDICAL_VAULT, chosen)
        async with served(create_app(one)) as first:
            await started(one)
            async with served(create_app(other)) as second:
                await started(other)
                yield one, first, other, second


@pytest.fixture(autouse=True)
async def counts(two: tuple[Vault, Api, Vault, Api]) -> None:
    """Start each test without earlier sign-ins and wrong passwords, which count by address as well."""
    async with two[0].database.connection() as connection:
        await connection.execute("DELETE FROM platform.sign_in_window")


async def remaining(api: Api) -> tuple[int, str | None]:
    answer = await api.post("/keep-alive")
    assert answer.status == "SUCCESS"
    return int(answer.headers["X-VaultAPI-BurstLimitRemaining"]), answer.headers.get(
        "X-VaultAPI-ResponseDelay"
    )


async def test_calls_beyond_the_limit_are_delayed_in_every_process(
    two: tuple[Vault, Api, Vault, Api],
) -> None:
    one, first, other, second = two
    session = await first.signed_in("admin")
    assert [await remaining(session) for _ in range(LIMIT + 1)] == [
        *((left, None) for left in reversed(range(LIMIT))),
        (0, "1"),
    ]
    elsewhere = replace(session, url=second.url)
    await one.burst.share()
    await elsewhere.post("/keep-alive")
    await other.burst.share()
    assert await remaining(elsewhere) == (0, "1")
    fresh = await first.signed_in("user")
    assert await remaining(fresh) == (LIMIT - 1, None)


async def test_the_users_of_the_connection_have_a_limit_of_their_own(
    two: tuple[Vault, Api, Vault, Api],
) -> None:
    session = await two[1].signed_in("integration")
    answers = [await session.post("/keep-alive") for _ in range(2 * LIMIT)]
    assert all("X-VaultAPI-ResponseDelay" not in answer.headers for answer in answers)
    assert answers[0].headers["X-VaultAPI-BurstLimit"] == "1000000"


async def test_sign_ins_are_delayed_and_then_refused(
    two: tuple[Vault, Api, Vault, Api],
) -> None:
    clients = (two[1], two[3])
    fields = {
        "username": "busy@vault.example",
        "password": "x",
        "vaultDNS": "vault.example",
    }
    answers = [
        await clients[n % 2].post("/auth", data=fields) for n in range(SIGN_INS + 1)
    ]
    delays = [answer.headers.get("X-VaultAPI-ResponseDelay") for answer in answers]
    assert delays == [None] * (SIGN_INS // 2) + ["1"] * (SIGN_INS // 2 + 1)
    assert [answer.error for answer in answers] == [
        *["USERNAME_OR_PASSWORD_INCORRECT"] * SIGN_INS,
        "API_LIMIT_EXCEEDED",
    ]
    assert answers[-1].http_status == 200
    assert answers[-1].headers["X-VaultAPI-BurstLimit"] == str(SIGN_INS)
    elsewhere = await two[1].post("/auth", data={**fields, "vaultDNS": "other.example"})
    assert elsewhere.error == "USERNAME_OR_PASSWORD_INCORRECT"


async def test_a_user_who_guesses_is_locked_out_of_all_processes(
    two: tuple[Vault, Api, Vault, Api],
) -> None:
    one, first, _, second = two
    username = USERNAMES["user"]
    for n in range(MAX_FAILURES):
        fields = {
            "username": username,
            "password": "guess",
            "vaultDNS": f"vault{n}.example",
        }
        assert (
            await first.post("/auth", data=fields)
        ).error == "USERNAME_OR_PASSWORD_INCORRECT"
    right = {"username": username, "password": PASSWORD, "vaultDNS": "right.example"}
    assert (await second.post("/auth", data=right)).error == "USER_LOCKED_OUT"
    async with one.database.connection() as connection:
        await connection.execute(
            "UPDATE platform.sign_in_window SET window_start = now() - interval '61 seconds'"
        )
    assert (await second.post("/auth", data=right)).status == "SUCCESS"
    async with one.database.connection() as connection:
        assert (
            await connection.fetchval("SELECT count(*) FROM platform.sign_in_window")
            == 1
        )


async def test_signing_in_forgets_the_failures(
    two: tuple[Vault, Api, Vault, Api],
) -> None:
    _, first, _, _ = two
    for n in range(2 * MAX_FAILURES):
        password = PASSWORD if n % 9 == 8 else "guess"
        fields = {
            "username": USERNAMES["admin"],
            "password": password,
            "vaultDNS": f"host{n}.example",
        }
        expected = "SUCCESS" if n % 9 == 8 else "FAILURE"
        answer = await first.post("/auth", data=fields)
        assert (answer.status, "LOCKED" in answer.text) == (expected, False)


async def test_the_limit_is_shown_without_a_session(tmp_path: Path) -> None:
    nowhere = settings(
        "postgresql://nobody@127.0.0.1:1/none", "amqp://nobody@127.0.0.1:1/", tmp_path
    )
    vault = Vault(MEDICAL_VAULT, nowhere.model_copy(update={"burst_limit": 77}))
    async with served(create_api(vault)) as api:
        answer = await api.get("/api/")
    assert (
        answer.headers["X-VaultAPI-BurstLimit"],
        answer.headers["X-VaultAPI-BurstLimitRemaining"],
    ) == ("77", "77")
