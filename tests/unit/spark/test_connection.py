"""Cancellation and faults as callers of the broker see them."""

from __future__ import annotations

import asyncio

import pytest

from shared.spark.broker_errors import BrokerUnavailable
from shared.spark.connection import bounded


async def asking(answer: Exception | None) -> None:
    """A call of the driver, which answers its cancellation with ``answer``."""
    async with bounded("ask", 30):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if answer is None:
                raise
            raise answer from None


@pytest.mark.parametrize(
    "answer", [None, ConnectionError("closed"), RuntimeError("closed")]
)
async def test_a_cancellation_stays_one_whatever_the_driver_makes_of_it(
    answer: Exception | None,
) -> None:
    task = asyncio.create_task(asking(answer))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


@pytest.mark.parametrize(
    "fault", [asyncio.CancelledError(), ConnectionError("closed"), TimeoutError()]
)
async def test_a_fault_of_the_driver_is_none_of_the_callers_doing(
    fault: BaseException,
) -> None:
    with pytest.raises(BrokerUnavailable):
        async with bounded("ask", 30):
            raise fault
