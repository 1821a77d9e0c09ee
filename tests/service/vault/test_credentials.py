"""Passwords, sessions and e-mails of users: which are refused, and what a new password ends."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from local.polling import answers_within
from local.servers import PostgresServer
from services.crm_vault.definition import CRM_VAULT
from shared.vault.access.caller import SYSTEM, Caller
from shared.vault.assembly.vault import Vault
from shared.vault.errors import VaultFault
from shared.vault.security.sessions import Session, Sessions, digest
from tests.service.vault.people import as_user, new_user, person
from tests.service.vault.served import PASSWORD, Answer, Api, settings
from tests.service.vault.test_api_tokens import generated
from tests.service.vault.vault_databases import vault_database

if TYPE_CHECKING:
    from shared.vault.storage.database import Connection

STRONG = "nineteen lemon ladders"
WEAK = ("password", "12345678", "password1234", "Perso-Perso-Perso")
TWO_ADDRESSES = "a@vault.example, b@vault.example"

Change = Callable[[Api, Api, int], Awaitable[Answer]]


async def by_the_user(session: Api, admin: Api, user_id: int) -> Answer:
    del admin, user_id
    fields = {"password__v": PASSWORD, "new_password__v": STRONG}
    return await session.post("/objects/users/me/password", data=fields)


async def by_an_administrator(session: Api, admin: Api, user_id: int) -> Answer:
    del session
    fields = {"password__v": STRONG}
    return await admin.put(f"/objects/users/{user_id}", data=fields)


async def by_an_upsert(session: Api, admin: Api, user_id: int) -> Answer:
    del session
    rows = [{"id": user_id, "password__v": STRONG}]
    path = "/objects/users?operation=upsert&idParam=id"
    return await admin.post(path, json=rows)


async def test_one_old_password_is_taken_by_one_change(admin: Api, api: Api) -> None:
    _, name = await new_user(admin)
    session = await as_user(api, name)
    wanted = [f"{STRONG} {number * 11}" for number in range(3)]
    path = "/objects/users/me/password"
    calls = [
        session.post(path, data={"password__v": PASSWORD, "new_password__v": each})
        for each in wanted
    ]
    answers = await asyncio.gather(*calls)
    taken = [answer.status == "SUCCESS" for answer in answers]
    assert taken.count(True) == 1, [answer.text for answer in answers]
    refused = {answer.error for answer in answers if answer.status != "SUCCESS"}
    assert refused == {"USERNAME_OR_PASSWORD_INCORRECT"}
    # It is the one that its caller was told.
    assert (await as_user(api, name, wanted[taken.index(True)])).session_id


@pytest.mark.parametrize(
    ("change", "kept"),
    [(by_the_user, True), (by_an_administrator, False), (by_an_upsert, False)],
)
async def test_a_new_password_ends_what_was_opened_with_the_old_one(
    admin: Api, api: Api, change: Change, kept: bool
) -> None:
    user_id, name = await new_user(admin)
    session, other = await as_user(api, name), await as_user(api, name)
    _, own = await generated(session)
    path = f"/objects/users/{user_id}/api_access_token__sys"
    token_id, made_by_another = await generated(admin, path)
    assert (await change(session, admin, user_id)).status == "SUCCESS"
    for ended in (other, own, made_by_another):
        assert (await ended.post("/keep-alive")).error == "INVALID_SESSION_ID"
    # The session that changes the password is the only one that stays.
    assert ((await session.post("/keep-alive")).status == "SUCCESS") is kept
    assert (await admin.get(path)).data == []
    trail = await admin.get("/audittrail/domain_audit_trail", params={"limit": "20"})
    entries = [each for each in trail.data if each["item"] == f"Token.{token_id}"]
    assert [each["action"] for each in entries] == ["Delete", "Create"]


@asynccontextmanager
async def changing(
    vault: Vault, user_id: int
) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Store a new password at the end of the block; yield a function that waits for a call to wait for it."""
    password_hash = await vault.security.passwords.hash(STRONG, ())

    async def waited_for() -> None:
        async def reason() -> str | None:
            async with vault.database.connection() as connection:
                waits = await connection.fetchval(
                    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                    " AND datname = current_database() AND query LIKE '%platform.credential%'"
                )
            return None if waits else "nobody waits"

        assert await answers_within(60, reason) is None

    async with vault.database.transaction() as connection:
        security = vault.security
        await security.set_password(connection, SYSTEM, user_id, password_hash)
        yield waited_for


async def test_who_signs_in_while_the_password_changes_has_no_session(
    admin: Api, api: Api, vault: Vault
) -> None:
    user_id, name = await new_user(admin)
    fields = {"username": name, "password": PASSWORD}
    async with changing(vault, user_id) as waited_for:
        signing_in = asyncio.create_task(api.post("/auth", data=fields))
        await waited_for()
    assert (await signing_in).error == "USERNAME_OR_PASSWORD_INCORRECT"
    assert await left(vault, "session", user_id) == 0


async def test_a_session_that_ends_while_the_password_changes_makes_no_token(
    admin: Api, api: Api, vault: Vault
) -> None:
    user_id, name = await new_user(admin)
    session = await as_user(api, name)
    path = "/objects/users/me/api_access_token__sys"
    async with changing(vault, user_id) as waited_for:
        making = asyncio.create_task(session.post(path, data={"name__v": "key"}))
        await waited_for()
    assert (await making).error == "INVALID_SESSION_ID"
    assert await left(vault, "api_access_token", user_id) == 0


async def left(vault: Vault, table: str, user_id: int) -> int:
    async with vault.database.connection() as connection:
        sql = f"SELECT count(*) FROM platform.{table} WHERE user_id = $1"
        return int(await connection.fetchval(sql, user_id))


@pytest.mark.parametrize("password", WEAK)
async def test_passwords_that_are_refused(admin: Api, api: Api, password: str) -> None:
    sent = person(password__v=password)
    assert (await admin.post("/objects/users", data=sent)).error == "INVALID_DATA"
    assert (await admin.post("/objects/users", json=[sent])).data[0]["errors"][0][
        "type"
    ] == "INVALID_DATA"
    user_id, name = await new_user(admin)
    path, fields = f"/objects/users/{user_id}", {"password__v": password}
    assert (await admin.put(path, data=fields)).error == "INVALID_DATA"
    session = await as_user(api, name)
    fields = {"password__v": PASSWORD, "new_password__v": password}
    refused = await session.post("/objects/users/me/password", data=fields)
    assert refused.error == "INVALID_DATA"
    assert f'"{password}"' not in refused.text


async def test_a_users_own_name_is_no_password(admin: Api, api: Api) -> None:
    sent = person(user_first_name__v="Maximiliane", user_last_name__v="Oberhuber")
    names = (sent["user_name__v"], "maximiliane oberhuber", "Oberhuber Oberhuber")
    for name in names:
        answer = await admin.post("/objects/users", data={**sent, "password__v": name})
        assert answer.error == "INVALID_DATA"
    created = await admin.post("/objects/users", data=sent)
    for name in names:
        # The names are those that are stored: the call has the id alone.
        rows = [{"id": created.body["id"], "password__v": name}]
        (result,) = (await admin.put("/objects/users", json=rows)).data
        assert result["errors"][0]["type"] == "INVALID_DATA"


@pytest.fixture
async def new_database(postgres_server: PostgresServer) -> AsyncIterator[str]:
    """A database of Vault CRM that has no users yet."""
    async with vault_database(postgres_server, CRM_VAULT) as dsn:
        yield dsn


@pytest.mark.parametrize("setting", ["admin", "integration", "business"])
@pytest.mark.parametrize("password", ["short", "password1234", "admin@vault.example"])
async def test_a_vault_does_not_start_with_a_password_that_is_easily_guessed(
    new_database: str, amqp_url: str, tmp_path: Path, setting: str, password: str
) -> None:
    chosen = settings(new_database, amqp_url, tmp_path).model_copy(
        update={
            f"{setting}_password": SecretStr(password),
            f"{setting}_username": "admin@vault.example"
            if setting == "admin"
            else f"admin.{setting}@vault.example",
        }
    )
    vault = Vault(CRM_VAULT, chosen)
    try:
        with pytest.raises(ValueError, match=r"in the settings cannot be used") as why:
            await vault.start()
    finally:
        await vault.stop()
    assert "admin" in str(why.value)


async def test_sessions_of_calls_that_come_together_are_looked_up_together(
    admin: Api, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_id, name = await new_user(admin)
    profiles, idle = vault.security.profiles, timedelta(minutes=60)
    # With a way of its own to the database: the Vault takes connections for other work meanwhile.
    own = copy.copy(vault.database)
    sessions = Sessions(own, profiles, idle, 9, vault.security.tokens)
    held, ended, lasting = [await sessions.open(user_id) for _ in range(3)]
    monkeypatch.setattr("shared.vault.security.sessions.LATE", 600.0)
    taken, begun = 0, asyncio.Event()
    connection_of = own.connection

    def counted() -> AbstractAsyncContextManager[Connection]:
        nonlocal taken
        taken += 1
        begun.set()
        return connection_of()

    async with vault.database.transaction() as others:
        await others.execute("LOCK TABLE platform.session IN ACCESS EXCLUSIVE MODE")
        monkeypatch.setattr(own, "connection", counted)
        asked = [held, ended, lasting, lasting, Session("UNKNOWN", user_id)]
        calls = [
            asyncio.create_task(sessions.caller(each.session_id)) for each in asked
        ]
        # One is cancelled, which the others do not notice.
        calls.append(asyncio.create_task(sessions.caller(lasting.session_id)))
        await begun.wait()
        calls.pop().cancel()
        # These come while the others are looked up, and are looked up together after them.
        later = [sessions.caller(each.session_id) for each in (held, ended)]
        calls += map(asyncio.create_task, later)
        await others.execute(
            "DELETE FROM platform.session WHERE token_hash = $1",
            digest(ended.session_id),
        )
    found = await asyncio.gather(*calls, return_exceptions=True)
    names = [each.username if isinstance(each, Caller) else None for each in found]
    assert names == [name, None, name, name, None, name, None]
    assert [str(each) for each in found if isinstance(each, VaultFault)]
    assert taken == 2


async def test_a_user_has_so_many_sessions(admin: Api, api: Api, vault: Vault) -> None:
    user_id, _ = await new_user(admin)
    other_id, _ = await new_user(admin)
    profiles, idle = vault.security.profiles, timedelta(minutes=60)
    sessions = Sessions(vault.database, profiles, idle, 3, vault.security.tokens)
    delegated = await sessions.open(user_id, other_id)
    of_another = await sessions.open(other_id)
    opened = [await sessions.open(user_id) for _ in range(3)]
    # Used now; the second has not been used for longer than it.
    async with vault.database.connection() as connection:
        for minutes, session in zip((1, 9, 5), opened, strict=True):
            await connection.execute(
                "UPDATE platform.session SET used_date = now() - $2::interval WHERE token_hash = sha256($1::bytea)",
                session.session_id.encode(),
                timedelta(minutes=minutes),
            )
    opened.append(await sessions.open(user_id))
    alive = [
        (await Api(api.http, api.url, each.session_id).post("/keep-alive")).status
        for each in opened
    ]
    assert alive == ["SUCCESS", "FAILURE", "SUCCESS", "SUCCESS"]
    # Neither the user's delegates nor others are counted with the user.
    async with vault.database.connection() as connection:
        kept = await connection.fetchval(
            "SELECT count(*) FROM platform.session WHERE token_hash IN (sha256($1::bytea), sha256($2::bytea))",
            delegated.session_id.encode(),
            of_another.session_id.encode(),
        )
    assert kept == 2


@pytest.mark.parametrize(
    "email", [TWO_ADDRESSES, "nobody", "A <a@vault.example>", "a@b.example\nBcc: c"]
)
async def test_an_email_is_one_address(admin: Api, api: Api, email: str) -> None:
    user_id, name = await new_user(admin)
    session = await as_user(api, name)
    record = {"id": str(user_id), "email__sys": email}
    made = {
        "name__v": "Perso N",
        "username__sys": person()["user_name__v"],
        "security_profile__sys": "business_user__v",
        "email__sys": email,
    }
    answers = [
        await admin.post("/objects/users", json=[person(user_email__v=email)]),
        await admin.put(
            "/objects/users", json=[{"id": user_id, "user_email__v": email}]
        ),
        await admin.post("/vobjects/user__sys", json=[made]),
        await admin.put("/vobjects/user__sys", json=[record]),
    ]
    for answer in answers:
        assert answer.data[0]["errors"][0]["type"] == "INVALID_DATA", answer.text
    fields = {"user_email__v": email}
    assert (await session.put("/objects/users/me", data=fields)).error == "INVALID_DATA"
    fields = {"user_email__v": f"new.{name}"}
    assert (await session.put("/objects/users/me", data=fields)).status == "SUCCESS"
