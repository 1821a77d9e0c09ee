"""Four connectors work on the same records: the newest state stays, and no older one overwrites it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from functools import partial

import pytest

from local.system import System
from tests.system.conditions import Connected, eventually, new_run
from tests.system.messages import envelope, put_on_queue
from tests.system.reconciling import assert_clean
from tests.system.test_crashes import assert_queues_empty, quoted
from tests.system.test_transfer import create, one

CONNECTOR = "connector"
POINT = "account_inbound__v"
ACCOUNTS = 12
CHANGES = 25
WAITED_FOR = 2


@pytest.fixture
async def four_connectors(running: System) -> AsyncIterator[None]:
    """Three more processes beside the system's own connector, as a user would start them."""
    more = running.further_connectors(3)
    try:
        for service in more:
            service.spawn()
        await asyncio.gather(*(service.wait_ready() for service in more))
        yield
    finally:
        await asyncio.gather(*(service.stop() for service in more))


async def made(connected: Connected, run: str) -> list[str]:
    country = (
        await one(
            connected.crm, "SELECT id FROM country__v WHERE country_code__v = 'FR'"
        )
    )["id"]
    return [
        await create(
            connected.crm,
            "account__v",
            {
                "name__v": f"Dr {run} {number}",
                "last_name_cda__v": "State 000",
                "external_id__v": f"F-{run}-{number}",
                "primary_country__v": country,
            },
        )
        for number in range(ACCOUNTS)
    ]


async def written(connected: Connected, record: str) -> list[str]:
    """The names that a copy was given, in order, from its audit trail."""
    text = (
        "SELECT timestamp, field_name, new_value FROM object_audit_trail "
        f"WHERE record_id = '{record}' AND field_name = 'last_name__v' ORDER BY timestamp"
    )
    return [str(row["new_value"]) for row in (await connected.medical.query(text)).rows]


@pytest.mark.usefixtures("four_connectors")
async def test_no_older_state_comes_after_a_newer_one(connected: Connected) -> None:
    accounts = await made(connected, new_run())
    order = random.Random(7)
    sent: list[bytes] = []
    links = [f"{connected.crm.vault_id}_{account}" for account in accounts]
    text = f"SELECT id, last_name__v FROM case_contact_source_data__v WHERE link__sys CONTAINS ({quoted(links)})"

    async def in_all(state: int) -> bool:
        copies = (await connected.medical.query(text)).rows
        names = [row["last_name__v"] for row in copies]
        return names == [f"State {state:03}"] * ACCOUNTS

    async def send_changed(items: list[str]) -> None:
        """Send a message about these items and, as a broker may, an earlier one once more."""
        sent.append(envelope(items, point=POINT, object_name="account__v").encode())
        await put_on_queue(connected, sent[-1])
        await put_on_queue(connected, order.choice(sent))

    for state in range(1, CHANGES + 1):
        rows = [
            {"id": account, "last_name_cda__v": f"State {state:03}"}
            for account in accounts
        ]
        await asyncio.gather(
            connected.crm.update("account__v", rows),
            send_changed(order.sample(accounts, ACCOUNTS // 2)),
            send_changed(order.sample(accounts, ACCOUNTS)),
        )
        await send_changed(accounts)
        # However slow the connectors are, they meet a change of each copy; the others they meet as they come.
        if state <= WAITED_FOR:
            await eventually(f"state {state} in every copy", partial(in_all, state))
    await eventually("the last state in every copy", partial(in_all, CHANGES))
    await assert_queues_empty(connected)
    assert await in_all(CHANGES), "nothing older came after it"
    copies = (await connected.medical.query(text)).rows
    for row in copies:
        states = await written(connected, str(row["id"]))
        assert states == sorted(set(states)), (
            "each state at most once, and in the order of the source"
        )
        assert len(states) > 1, "there were changes while the connectors wrote"
    await assert_clean(connected.medical, accounts)
