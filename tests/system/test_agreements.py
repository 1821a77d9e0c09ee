"""Data usage agreements on the wire: the connector's requests to Vault CRM about accounts."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from local.system import System
from tests.system import module_system
from tests.system.conditions import Connected, eventually, new_run
from tests.system.messages import envelope, put_on_queue
from tests.system.recording import Exchange, Recording, recorded
from tests.system.test_crashes import assert_queues_empty
from tests.system.test_runs import INTEGRATION, ended, names
from tests.system.test_transfer import account, inquiry, transferred

running, connected = module_system.running, module_system.connected
CONNECTOR = "connector"
HEAD = "SELECT id, global_id__sys, primary_country__vr.country_code__v FROM account__v"
EXISTING = "SELECT id FROM account__v"
COUNTRIES_READ = (
    "primary_country__vr.country_code__v CONTAINS ('DE','ES','FR','GB','US')"
)
COUNTRIES_PULLED = "primary_country__vr.country_code__v CONTAINS ('ES','FR','US')"
ACCOUNT_DATA = re.compile(r"account__vr| FROM .*\baccount__v\b", re.DOTALL)
RECORDS = re.compile(r"(?<!/metadata)/vobjects/account__v")
FORBIDDEN = ("CH", "JP")
CRITERION = (
    "ALTER Objectlifecycle medical_inquiry_lifecycle__v ( MODIFY Objectlifecyclestate submitted_state__v ("
    " {} Objectlifecyclestateentrycriterion {} ) );"
)
EITHER = pytest.mark.parametrize(
    "country", FORBIDDEN, ids=["do not pull", "blank: the most restrictive"]
)


@pytest.fixture(scope="module")
async def wire(running: System, connected: Connected) -> AsyncIterator[Recording]:
    """The system's connector, replaced by one whose requests to Vault CRM are recorded."""
    (own,) = [
        service for service in running._services() if service.service == CONNECTOR
    ]
    second = replace(own, number=2)
    async with recorded(running.endpoints()["crm_vault"]["url"]) as recording:
        vaults = json.loads(own.settings["CONNECTOR_VAULTS"])
        (crm,) = [vault for vault in vaults if vault["name"] == "crm"]
        crm["url"] = recording.url
        port = str(running._state.port(second.name))
        settings = {
            **own.settings,
            "CONNECTOR_PORT": port,
            "CONNECTOR_VAULTS": json.dumps(vaults),
        }
        second = replace(second, settings=settings)
        await own.stop()
        try:
            await second.start()
            yield recording
        finally:
            await second.stop()
            await own.start()


@pytest.fixture
def asked(wire: Recording) -> list[Exchange]:
    """The exchanges recorded during this test."""
    wire.exchanges.clear()
    return wire.exchanges


def of_accounts(asked: list[Exchange]) -> list[Exchange]:
    """Requests for account data in any form: as target of a query, through a relationship, or as records."""
    assert any(exchange.query for exchange in asked), "nothing was recorded"
    return [
        exchange
        for exchange in asked
        if ACCOUNT_DATA.search(exchange.query) or RECORDS.search(exchange.path)
    ]


def answered(asked: list[Exchange], run: str) -> list[Exchange]:
    """Requests whose answers contain anything of an account of this test."""
    return [
        exchange
        for exchange in asked
        if f"Example {run}" in exchange.answer or f"T-{run}" in exchange.answer
    ]


@EITHER
async def test_nothing_is_asked_of_the_account_of_an_inquiry(
    connected: Connected, asked: list[Exchange], country: str
) -> None:
    run = new_run()
    request = await transferred(
        connected,
        await inquiry(connected, await account(connected, run, country), country),
    )
    assert of_accounts(asked) == []
    assert answered(asked, run) == []
    assert request["case__vr.case_contact__vr.email__sys"] == "delivery@inquiry.example"


@EITHER
async def test_an_inquiry_without_a_country_learns_nothing_of_the_account(
    connected: Connected, asked: list[Exchange], country: str
) -> None:
    run = new_run()
    account_id = await account(connected, run, country)
    fields: dict[str, Any] = {"country__vr.country_code__v": None}
    # As delivered, an inquiry has a country when it is submitted.
    await connected.crm.execute_mdl(CRITERION.format("DROP", "country__v"))
    try:
        item = await inquiry(connected, account_id, **fields)
        await transferred(connected, item)
    finally:
        delivered = "country__v (order(2), required_field('country__v'))"
        await connected.crm.execute_mdl(CRITERION.format("ADD", delivered))
    (head,) = of_accounts(asked)
    assert (
        head.query == f"{HEAD} WHERE id CONTAINS ('{account_id}') AND {COUNTRIES_READ}"
    )
    assert json.loads(head.answer)["data"] == []
    assert answered(asked, run) == []


@pytest.mark.parametrize("way", ["message", "run"])
async def test_accounts_are_read_as_far_as_their_country_allows(
    connected: Connected, asked: list[Exchange], way: str
) -> None:
    run = new_run()
    pulled, with_inquiry, without, forbidden, unsaid = accounts = [
        await account(connected, f"{run}{n}", country)
        for n, country in enumerate(("FR", "DE", "DE", "CH", "JP"))
    ]
    await transferred(connected, await inquiry(connected, with_inquiry, "DE"))
    asked.clear()
    if way == "message":
        await put_on_queue(
            connected,
            envelope(
                accounts, point="account_inbound__v", object_name="account__v"
            ).encode(),
        )
    else:
        await ended(connected.medical, await connected.medical.request_run(INTEGRATION))

    async def written() -> bool:
        return set(await names(connected, accounts)) == {pulled, with_inquiry}

    await eventually("the copies of what may be read", written)
    await assert_queues_empty(connected)

    told = answered(asked, run)
    assert told, "accounts that may be read were"
    for kept_back in (without, forbidden, unsaid):
        assert not any(kept_back in exchange.answer for exchange in told)
    for exchange in of_accounts(asked):
        bounded = COUNTRIES_READ in exchange.query or COUNTRIES_PULLED in exchange.query
        known = any(
            f"'{item}'" in exchange.query for item in (forbidden, unsaid, without)
        )
        only_ids = exchange.query.startswith(f"{EXISTING} WHERE id CONTAINS")
        assert bounded or only_ids or not known, exchange.query
        if not only_ids:
            assert not any(item in exchange.answer for item in (forbidden, unsaid)), (
                exchange.query
            )
