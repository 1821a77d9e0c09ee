"""Password hashes: which match, and that unknown users are not treated as known."""

from __future__ import annotations

import pytest
from argon2 import extract_parameters

from shared.protocol.error_types import ErrorType
from shared.runtime.waiting import concurrently
from shared.vault.errors import VaultFault
from shared.vault.security import passwords as module
from shared.vault.security.passwords import Passwords


async def test_a_password_matches_its_own_hash_only() -> None:
    passwords = Passwords()
    stored = await passwords.hash("nineteen lemon ladders", ())
    assert stored.startswith("$argon2id$")
    assert await passwords.verify(stored, "nineteen lemon ladders")
    assert not await passwords.verify(stored, "nineteen lemon ladders ")
    assert stored != await passwords.hash("nineteen lemon ladders", ())


async def test_without_a_hash_nothing_matches() -> None:
    assert not await Passwords().verify(None, "no user has this password")


async def test_a_user_who_is_not_there_takes_the_work_of_one_who_is() -> None:
    stored = await Passwords().hash("nineteen lemon ladders", ())
    assert extract_parameters(module.NOBODY) == extract_parameters(stored)


async def test_a_damaged_hash_matches_nothing() -> None:
    assert not await Passwords().verify("$argon2id$damaged", "x")


async def test_the_throttle_is_asked_when_the_turn_has_come() -> None:
    async def refuse() -> None:
        raise VaultFault(ErrorType.USER_LOCKED_OUT, "locked")

    passwords = Passwords()
    with pytest.raises(VaultFault, match="locked"):
        await passwords.verify(None, "x", before=refuse)
    assert not passwords._slots.taken


async def test_a_sign_in_that_waits_too_long_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "QUEUE_TIMEOUT", 0)
    passwords = Passwords()
    for _ in range(module.CONCURRENCY):
        await passwords._slots.enter("elsewhere", 0)
    with pytest.raises(VaultFault, match="Too many users") as refused:
        await passwords.verify(None, "x", address="here")
    assert refused.value.error.type is ErrorType.API_LIMIT_EXCEEDED


FLOOD = 12
# Who comes when a flood of one address is under way → after how many of the flood, at most, it is their turn.
BEHIND = {
    "at another address": (["here"], False, 1),
    "at several others": (["here", "there", "yonder"], False, 1),
    "known at the address of the flood": (["flood"], True, 0),
}


@pytest.mark.parametrize("others", BEHIND.values(), ids=BEHIND)
async def test_a_flood_from_one_address_delays_no_other(
    others: tuple[list[str], bool, int],
) -> None:
    addresses, known, behind = others
    passwords = Passwords()
    turns: list[str] = []

    async def sign_in(name: str, address: str, known: bool) -> None:
        async def began() -> None:
            turns.append(name)

        await passwords.verify(None, "x", address=address, known=known, before=began)

    async with concurrently() as group:
        for _ in range(FLOOD):
            group.create_task(sign_in("flood", "flood", known=False))
        for address in addresses:
            group.create_task(sign_in("other", address, known))
    waited = turns[module.CONCURRENCY :]
    last = max(place for place, name in enumerate(waited) if name == "other")
    assert waited[: last + 1].count("flood") <= behind
    assert turns.count("flood") == FLOOD


async def test_passwords_that_are_stored_delay_no_sign_in() -> None:
    passwords = Passwords()
    turns: list[str] = []

    async def stored() -> None:
        await passwords.hash("nineteen lemon ladders", ())
        turns.append("stored")

    async def began() -> None:
        turns.append("sign-in")

    async with concurrently() as group:
        for _ in range(6):
            group.create_task(stored())
        group.create_task(passwords.verify(None, "x", address="here", before=began))
    assert turns.index("sign-in") <= module.CONCURRENCY
