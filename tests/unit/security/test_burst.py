"""The burst limit: counted by user, profile and window, and shared in batches."""

from __future__ import annotations

from shared.vault.access.caller import (
    BUSINESS_USER,
    INTEGRATION_USER,
    Caller,
    SecurityProfile,
)
from shared.vault.security.call_limits import BURST_WINDOW, BurstLimits, Limits
from shared.vault.storage.database import Database

LIMITS = Limits(users=3, connections=100)


def caller(user_id: int, profile: SecurityProfile = BUSINESS_USER) -> Caller:
    return Caller(user_id, "someone", profile)


def test_calls_are_counted_by_user_and_window() -> None:
    now = 10.0 * BURST_WINDOW
    limits = BurstLimits(
        Database("postgresql://nobody@127.0.0.1:1/none"), LIMITS, 0.5, lambda: now
    )
    usages = [limits.count(caller(1)) for _ in range(5)]
    assert [usage.remaining for usage in usages] == [2, 1, 0, 0, 0]
    assert [usage.delay for usage in usages] == [0, 0, 0, 0.5, 0.5]
    assert [usage.exceeded for usage in usages] == [False, False, False, True, True]
    assert limits.count(caller(2)).remaining == 2
    integration = limits.count(caller(3, INTEGRATION_USER))
    assert (integration.limit, integration.remaining) == (100, 99)
    now += BURST_WINDOW
    assert limits.count(caller(1)).remaining == 2
