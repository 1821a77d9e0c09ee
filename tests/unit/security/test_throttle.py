"""The login throttle: who is refused, until when, and how much is remembered."""

from __future__ import annotations

import pytest

from shared.vault.errors import ErrorType, VaultFault
from shared.vault.security import throttle
from shared.vault.security.throttle import MAX_FAILURES, WINDOW, LoginThrottle


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def locked_out(guard: LoginThrottle, username: str) -> bool:
    try:
        guard.check(username)
    except VaultFault as fault:
        return fault.error.type is ErrorType.USER_LOCKED_OUT
    return False


def test_too_many_failures_lock_out_that_user_for_the_window() -> None:
    clock = Clock()
    guard = LoginThrottle(clock)
    for _ in range(MAX_FAILURES):
        assert not locked_out(guard, "ann")
        guard.failed("ann")
    assert locked_out(guard, "ann")
    assert not locked_out(guard, "bob")
    clock.now += WINDOW
    assert not locked_out(guard, "ann")


def test_old_failures_do_not_count() -> None:
    clock = Clock()
    guard = LoginThrottle(clock)
    for _ in range(3 * MAX_FAILURES):
        guard.failed("ann")
        clock.now += WINDOW / (MAX_FAILURES - 1)
        assert not locked_out(guard, "ann")


def test_signing_in_forgets_the_failures() -> None:
    guard = LoginThrottle(Clock())
    for _ in range(MAX_FAILURES):
        guard.failed("ann")
    guard.succeeded("ann")
    assert not locked_out(guard, "ann")


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "MAX_USERNAMES", 3)
    guard = LoginThrottle(Clock())
    for name in ("a", "b", "a", "c", "d"):
        guard.failed(name)
    assert list(guard._failures) == ["a", "c", "d"]
