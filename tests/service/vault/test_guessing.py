"""Password guessing is blocked by user name and address; a user at another, known address is never blocked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import count

import pytest

from shared.vault.assembly.vault import Vault
from shared.vault.security.sign_in_limits import (
    MAX_FAILURES,
    MAX_FAILURES_AT_ADDRESS,
    MAX_KNOWN_ADDRESSES,
)
from tests.service.vault.people import new_user
from tests.service.vault.served import PASSWORD, USERNAMES, Answer, Api

INCORRECT = "USERNAME_OR_PASSWORD_INCORRECT"
_hosts = count(1)


def address() -> str:
    """An address without earlier sign-ins."""
    number = next(_hosts)
    return f"198.18.{number // 250}.{number % 250 + 1}"


async def sign_in(
    api: Api, username: str, password: str = PASSWORD, *, at: str
) -> Answer:
    fields = {"username": username, "password": password}
    return await api.post("/auth", data=fields, headers={"X-Forwarded-For": at})


@pytest.fixture(autouse=True)
async def counts(vault: Vault, api: Api) -> AsyncIterator[None]:
    """Start each test without counts of wrong passwords, and leave none."""
    await forget(vault)
    yield
    await forget(vault)


async def forget(vault: Vault) -> None:
    async with vault.database.connection() as connection:
        await connection.execute("DELETE FROM platform.sign_in_window")


async def test_guesses_from_elsewhere_do_not_shut_the_connector_out(
    api: Api, admin: Api
) -> None:
    name, home = USERNAMES["integration"], address()
    assert (await sign_in(api, name, at=home)).status == "SUCCESS"
    # Ten guesses from one address, and then one from each of many others.
    places = [address()] * MAX_FAILURES + [address() for _ in range(MAX_FAILURES)]
    errors = [(await sign_in(api, name, "a guess", at=at)).error for at in places]
    assert errors == [INCORRECT] * MAX_FAILURES + ["USER_LOCKED_OUT"] * MAX_FAILURES
    # Nobody gets in from where the user was never, not even with the password.
    assert (await sign_in(api, name, at=address())).error == "USER_LOCKED_OUT"
    assert (await sign_in(api, name, at=home)).status == "SUCCESS"


async def test_a_client_at_a_known_address_is_shut_out_by_its_own_guesses_alone(
    api: Api, admin: Api
) -> None:
    _, name = await new_user(admin)
    home, second = address(), address()
    for at in (home, second):
        assert (await sign_in(api, name, at=at)).status == "SUCCESS"
    for _ in range(MAX_FAILURES):
        assert (await sign_in(api, name, "a guess", at=home)).error == INCORRECT
    assert (await sign_in(api, name, at=home)).error == "USER_LOCKED_OUT"
    assert (await sign_in(api, name, at=second)).status == "SUCCESS"
    assert (await sign_in(api, name, at=address())).status == "SUCCESS"


async def test_who_tries_many_names_is_shut_out_by_address(
    api: Api, admin: Api
) -> None:
    _, colleague = await new_user(admin)
    _, newcomer = await new_user(admin)
    office = address()
    assert (await sign_in(api, colleague, at=office)).status == "SUCCESS"
    names = [f"name{number}@vault.example" for number in range(60)]
    errors = [(await sign_in(api, name, "a guess", at=office)).error for name in names]
    refused = 60 - MAX_FAILURES_AT_ADDRESS
    assert (
        errors
        == [INCORRECT] * MAX_FAILURES_AT_ADDRESS + ["API_LIMIT_EXCEEDED"] * refused
    )
    assert (await sign_in(api, newcomer, at=office)).error == "API_LIMIT_EXCEEDED"
    assert (await sign_in(api, newcomer, at=address())).status == "SUCCESS"
    # Who has signed in there before is not shut out by the neighbour.
    assert (await sign_in(api, colleague, at=office)).status == "SUCCESS"


async def test_the_shut_out_ends_after_a_minute(
    api: Api, admin: Api, vault: Vault
) -> None:
    _, name = await new_user(admin)
    at = address()
    for _ in range(MAX_FAILURES):
        await sign_in(api, name, "a guess", at=at)
    assert (await sign_in(api, name, at=at)).error == "USER_LOCKED_OUT"
    async with vault.database.connection() as connection:
        await connection.execute(
            "UPDATE platform.sign_in_window SET window_start = now() - interval '61 seconds'"
        )
    assert (await sign_in(api, name, at=at)).status == "SUCCESS"


async def test_networks_of_ipv6_count_as_one_address(api: Api, admin: Api) -> None:
    _, name = await new_user(admin)
    for number in range(MAX_FAILURES):
        at = f"2001:db8:0:7::{number:x}"
        assert (await sign_in(api, name, "a guess", at=at)).error == INCORRECT
    assert (await sign_in(api, name, at="2001:db8:0:7::ff")).error == "USER_LOCKED_OUT"


async def test_changing_the_password_is_no_way_to_guess_it(
    api: Api, admin: Api
) -> None:
    _, name = await new_user(admin)
    fields = {
        "username": name,
        "password__v": "a guess",
        "new_password__v": "nineteen lemon ladders",
    }
    headers = {"X-Forwarded-For": address()}
    path = "/objects/users/me/password"
    errors = [
        (await api.post(path, data=fields, headers=headers)).error
        for _ in range(MAX_FAILURES + 1)
    ]
    assert errors == [INCORRECT] * MAX_FAILURES + ["USER_LOCKED_OUT"]


async def test_known_addresses_are_bounded_and_forgotten(
    api: Api, admin: Api, vault: Vault
) -> None:
    user_id, name = await new_user(admin)
    first = address()
    await sign_in(api, name, at=first)
    async with vault.database.connection() as connection:
        await connection.execute(
            "UPDATE platform.sign_in_address SET used_date = now() - interval '91 days' WHERE user_id = $1",
            user_id,
        )
        # Longer ago than is remembered: guesses from elsewhere shut this address out again.
        for _ in range(MAX_FAILURES):
            await sign_in(api, name, "a guess", at=address())
        assert (await sign_in(api, name, at=first)).error == "USER_LOCKED_OUT"
        await forget(vault)
        await connection.execute(
            "INSERT INTO platform.sign_in_address (user_id, address, used_date)"
            " SELECT $1, sha256(n::text::bytea), now() - interval '1 day' FROM generate_series(1, 200) n",
            user_id,
        )
        await sign_in(api, name, at=address())
        kept = await connection.fetchval(
            "SELECT count(*) FROM platform.sign_in_address WHERE user_id = $1", user_id
        )
    assert kept == MAX_KNOWN_ADDRESSES


async def test_addresses_are_not_stored(api: Api, admin: Api, vault: Vault) -> None:
    _, name = await new_user(admin)
    at = address()
    await sign_in(api, name, at=at)
    async with vault.database.connection() as connection:
        rows = await connection.fetch("SELECT address FROM platform.sign_in_address")
    assert rows
    assert all(at.encode() not in row["address"] for row in rows)
