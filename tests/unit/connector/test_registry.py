"""Transfers before any code of an integration point runs."""

from __future__ import annotations

from typing import Any

from services.connector.points.outcome import Outcome
from services.connector.points.points import transfer
from services.connector.points.transfer import Transfer
from shared.runtime.concurrency import KeyLocks


async def test_a_message_about_nothing_asks_no_vault() -> None:
    nothing: Any = None
    unit = Transfer(
        nothing, nothing, nothing, nothing, "medical_inquiry__v", (), KeyLocks()
    )
    assert await transfer(unit) == Outcome()
