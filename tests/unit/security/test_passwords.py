"""Password hashes: what matches, and that nobody is treated as somebody."""

from __future__ import annotations

import asyncio

import pytest

from shared.protocol.error_types import ErrorType
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


async def test_a_damaged_hash_matches_nothing() -> None:
    assert not await Passwords().verify("$argon2id$damaged", "x")


async def test_the_throttle_is_asked_when_the_turn_has_come() -> None:
    async def refuse() -> None:
        raise VaultFault(ErrorType.USER_LOCKED_OUT, "locked")

    passwords = Passwords()
    with pytest.raises(VaultFault, match="locked"):
        await passwords.verify(None, "x", before=refuse)
    assert not passwords._turn.locked()


async def test_who_waits_too_long_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "QUEUE_TIMEOUT", 0.01)
    passwords = Passwords()
    passwords._turn = asyncio.Semaphore(0)
    with pytest.raises(VaultFault, match="Too many users"):
        await passwords.verify(None, "x")
