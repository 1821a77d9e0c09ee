"""Counts how many calls a transfer makes to the Vaults, and which of them read configuration."""

from __future__ import annotations

from collections import Counter

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bench.data import TRANSFER
from local.system import System
from tests.system import module_system
from tests.system.conditions import Connected, eventually, new_run
from tests.system.test_rules import add_rules, drop_rules
from tests.system.test_transfer import account, inquiry

# Rules and merges that other modules leave take calls of their own.
running, connected = module_system.running, module_system.connected

MOST_CALLS = 15
TRIES = 3
# More than two pages of a query.
MANY = 2_500


async def counted(running: System) -> tuple[Counter[str], float]:
    """The connector's calls to Vaults so far, by name, and the number of handled inbound messages."""
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
    """The connector's calls for one inquiry, up to its acknowledgement and the report of its delivery."""
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
    """The calls of the inquiry that coincides with no poll of the consumed queues, which happens every few seconds."""
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


async def test_many_lookups_take_one_call_for_the_key_and_no_pages(
    running: System, connected: Connected
) -> None:
    run = new_run()
    name = f"codes_{run}__c"
    rules = {
        "code": "query_object('medical_inquiry__v'), query_field('delivery_method__v'), "
        f"reference_lookup('{name}'), reference_lookup_type('generic')"
    }
    rows = await lookups(connected, name)
    made = await connected.medical.create("reference_lookup__sys", rows)
    await add_rules(connected, run, rules)
    try:
        accounts = [await account(connected, new_run()) for _ in range(TRIES + 1)]
        first, *others = [await inquiry(connected, each) for each in accounts]
        # The configuration has changed: one page shows that there are too many lookups to read.
        calls = await calls_of_a_transfer(running, connected, first)
        assert not calls["query_page"], calls
        calls = await fewest_calls(running, connected, others)
        assert calls.total() + 1 <= MOST_CALLS, calls
        assert await code_of(connected, run, others[-1]) == ["by e-mail"]
    finally:
        await drop_rules(connected, run, rules)
        ids = [str(result.id) for result in made]
        await connected.medical.delete("reference_lookup__sys", ids)


async def lookups(connected: Connected, name: str) -> list[dict[str, str]]:
    """Rows of a set of that name, of which one is for inquiries that are answered by e-mail."""
    found = await connected.medical.query("SELECT id FROM connection__sys")
    common = {
        "connection__sys": str(found.rows[0]["id"]),
        "reference_lookup_name__sys": name,
        "reference_lookup_type__sys": "generic__sys",
        "target_key__sys": "by e-mail",
    }
    keys = ["email__v", *(f"other-{number}" for number in range(MANY))]
    return [{**common, "source_key__sys": key} for key in keys]


async def code_of(connected: Connected, run: str, inquiry_id: str) -> list[object]:
    """The value that the lookup has set in the Case Requests of an inquiry."""
    link = f"20202_{inquiry_id}"
    found = await connected.medical.query(
        f"SELECT code_{run}__c FROM case_request__v WHERE link__sys = '{link}'"
    )
    return [row[f"code_{run}__c"] for row in found.rows]
