"""How many calls one transfer makes of the Vaults, and which of them read configuration: counted, not timed."""

from __future__ import annotations

from collections import Counter

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bench.data import TRANSFER
from local.system import System
from tests.system.conditions import Connected, eventually, new_run
from tests.system.test_transfer import account, inquiry

MOST_CALLS = 15
TRIES = 3
MANY = 2_500
CHANNELS = "channels_{}__c"
# Those that every look at the consumed queues makes, also without a message.
OF_QUEUES = frozenset({"queues", "queue"})


async def counted(running: System) -> tuple[Counter[str], float]:
    """The connector's calls of Vaults so far, by name, and how many inbound messages have come to their end."""
    calls: Counter[str] = Counter()
    ended = 0.0
    url = running.endpoints()["connector"]["url"]
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{url}/metrics") as answer,
    ):
        text = await answer.text()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "vault_calls_total":
                calls[sample.labels["call"]] += int(sample.value)
            if sample.name == "message_age_seconds_count":
                ended += sample.value
    return calls, ended


async def calls_of_a_transfer(
    running: System, connected: Connected, inquiry_id: str
) -> Counter[str]:
    """The calls that the connector makes for one inquiry, to its acknowledgement and the report of its delivery."""
    before, ended_before = await counted(running)
    await connected.rep.run_action("medical_inquiry__v", inquiry_id, TRANSFER)

    async def done() -> bool:
        now, ended = await counted(running)
        reported = now["report_deliveries"] > before["report_deliveries"]
        return reported and ended > ended_before

    await eventually("the end of the message", done)
    after, _ = await counted(running)
    record = await connected.crm.record("medical_inquiry__v", inquiry_id)
    assert record["transfer_status__v"] == ["success__v"]
    return after - before


async def fewest_calls(
    running: System, connected: Connected, inquiries: list[str]
) -> Counter[str]:
    """Those of the inquiry that meets no look at the consumed queues, which comes every few seconds."""
    found = [await calls_of_a_transfer(running, connected, each) for each in inquiries]
    return min(found, key=Counter.total)


@pytest.mark.parametrize("known", [False, True], ids=["new contact", "known contact"])
async def test_one_inquiry_makes_few_calls_and_reads_no_configuration(
    running: System, connected: Connected, *, known: bool
) -> None:
    accounts = [await account(connected, new_run()) for _ in range(TRIES + 1)]
    if known:
        accounts = [accounts[0]] * (TRIES + 1)
    first, *others = [await inquiry(connected, each) for each in accounts]
    await calls_of_a_transfer(running, connected, first)
    calls = await fewest_calls(running, connected, others)
    # And the user action that sends it.
    assert calls.total() + 1 <= MOST_CALLS, calls
    assert not calls["configuration"] + calls["object_metadata"], calls
