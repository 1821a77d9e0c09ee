"""CRM Lookup: agents search accounts of Vault CRM, limited by agreement and rule; nothing is stored."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from local.service import process_name
from local.system import System
from services.connector.points.hcp import WITH_TRANSFERRED_INQUIRY
from tests.system.conditions import Connected, eventually, new_run
from tests.system.connector_calls import ConnectorCaller
from tests.system.messages import envelope, put_on_queue
from tests.system.recording import Exchange, Recording
from tests.system.test_agreements import EITHER, answered, asked, of_accounts, wire
from tests.system.test_transfer import account, inquiry, transferred

__all__ = ["asked", "wire"]

LOOKUP = "crm-lookups/medical/medical_crm__v"
POINT = "crm_lookup__v"
AGREEMENTS = (
    "primary_country__vr.country_code__v CONTAINS ('ES','FR','US')",
    f"primary_country__vr.country_code__v CONTAINS ('DE','GB') AND {WITH_TRANSFERRED_INQUIRY}",
)
WRITTEN_OBJECTS = (
    "case_contact_source_data__v",
    "person__sys",
    "exception_message__sys",
)


@pytest.fixture
def asker(running: System, asker: ConnectorCaller, wire: Recording) -> ConnectorCaller:
    """Questions to the connector, whose requests to Vault CRM are recorded."""
    assert wire.url
    return replace(
        asker,
        url=f"http://127.0.0.1:{running._state.ports[process_name('connector', 2)]}",
    )


async def looked_up(
    asker: ConnectorCaller, who: str = "business", **known: Any
) -> list[Any]:
    answer = await asker.ask("POST", LOOKUP, who, json=known)
    assert answer["responseStatus"] == "SUCCESS", answer
    accounts: list[Any] = answer["data"]["accounts"]
    return accounts


async def record_counts(connected: Connected) -> list[int]:
    return [
        len((await connected.medical.query(f"SELECT id FROM {name}")).rows)
        for name in WRITTEN_OBJECTS
    ]


@pytest.mark.parametrize("by", ["name", "veeva_id", "external_id", "ids"])
async def test_an_agent_finds_an_account(
    connected: Connected, asker: ConnectorCaller, by: str
) -> None:
    run = new_run()
    veeva_id = f"V{run}"
    account_id = await account(
        connected, run, "FR", veevaid__v=veeva_id, specialty_1__v="oncology__v"
    )
    await account(connected, f"x{run}", "FR")
    before = await record_counts(connected)
    known: dict[str, Any] = {
        "veeva_id": veeva_id,
        "external_id": f"T-{run}",
        "ids": [account_id],
    }
    known["name"] = f"{run[:6]} DR"
    (found,) = await looked_up(asker, **{by: known[by]})
    assert found == {
        "id": account_id,
        "fields": {
            "global_id__sys": f"{connected.crm.vault_id}_{account_id}",
            "name__v": f"Dr {run}",
            "first_name_cda__v": "Vale",
            "last_name_cda__v": f"Example {run}",
            "credentials__v": None,
            "specialty_1__v": ["oncology__v"],
            "primary_country__vr.country_code__v": "FR",
            "veevaid__v": veeva_id,
            "external_id__v": f"T-{run}",
        },
        "case_contact": None,
        "error": None,
    }
    assert await looked_up(asker, **{by: known[by], "country": "US"}) == []
    assert await record_counts(connected) == before


async def test_the_case_contact_that_an_account_is(
    connected: Connected, asker: ConnectorCaller
) -> None:
    run = new_run()
    account_id = await account(connected, run)
    request = await transferred(connected, await inquiry(connected, account_id))
    (found,) = await looked_up(asker, ids=[account_id])
    assert found["case_contact"] == request["case__vr.case_contact__v"]
    row = {
        "object_type__v.api_name__v": "case_contact__v",
        "name__v": run,
        "veeva_id__v": f"V{run}",
    }
    (other,) = await connected.medical.create("person__sys", [row])
    await connected.crm.update(
        "account__v", [{"id": account_id, "veevaid__v": f"V{run}"}]
    )
    (found,) = await looked_up(asker, ids=[account_id])
    assert found["case_contact"] is None
    assert str(other.id) in found["error"]
    await connected.medical.delete("person__sys", [str(other.id)])
    (found,) = await looked_up(asker, ids=[account_id])
    assert found["case_contact"] == request["case__vr.case_contact__v"]


async def test_no_more_than_asked_for(
    connected: Connected, asker: ConnectorCaller
) -> None:
    run = new_run()
    for number in range(3):
        await account(connected, f"{run}n{number}")
    answer = await asker.ask("POST", LOOKUP, "business", json={"name": run, "limit": 2})
    names = [found["fields"]["name__v"] for found in answer["data"]["accounts"]]
    assert (names, answer["data"]["complete"]) == (
        [f"Dr {run}n0", f"Dr {run}n1"],
        False,
    )


@EITHER
async def test_nothing_is_shown_of_accounts_that_are_excluded(
    connected: Connected, asker: ConnectorCaller, asked: list[Exchange], country: str
) -> None:
    run = new_run()
    account_id = await account(connected, run, country)
    searches: tuple[dict[str, Any], ...] = (
        {"name": run},
        {"external_id": f"T-{run}"},
        {"ids": [account_id]},
    )
    for known in searches:
        assert await looked_up(asker, **known) == []
    queries = [exchange.query for exchange in of_accounts(asked)]
    assert len(queries) == 6
    for query in queries:
        assert any(f" WHERE {agreement} " in query for agreement in AGREEMENTS), query
    assert answered(asked, run) == []
    asked.clear()
    assert await looked_up(asker, name=run, country=country) == []
    assert of_accounts([*asked, Exchange("", "/query", "q=none", "")]) == [], (
        "not even asked"
    )


async def test_where_inquiries_make_accounts_known(
    connected: Connected, asker: ConnectorCaller, asked: list[Exchange]
) -> None:
    run = new_run()
    account_id = await account(connected, run, "DE")
    item = await inquiry(connected, account_id, "DE")
    assert await looked_up(asker, name=run) == []
    assert answered(asked, run) == []
    request = await transferred(connected, item)
    (found,) = await looked_up(asker, name=run, country="DE")
    assert (found["id"], found["case_contact"]) == (
        account_id,
        request["case__vr.case_contact__v"],
    )


async def test_what_is_searched_for_is_in_no_log_and_no_address(
    running: System, connected: Connected, asker: ConnectorCaller, asked: list[Exchange]
) -> None:
    run = new_run()
    await account(connected, run)
    assert len(await looked_up(asker, name=f"dr {run}")) == 1
    refused = await asker.text(
        "POST", LOOKUP, "business", json={"name": run, "who": f"Example {run}"}
    )
    assert "INVALID_DATA" in refused
    assert run not in refused
    assert not any(run in exchange.path for exchange in asked)
    logs = [file for file in running.logs.rglob("*") if file.is_file()]
    assert logs
    for file in logs:
        assert run not in file.read_text(encoding="utf-8", errors="replace"), file.name


async def test_what_the_rule_does_not_show_is_neither_shown_nor_searched_by(
    connected: Connected, asker: ConnectorCaller
) -> None:
    run = new_run()
    account_id = await account(connected, run)
    switch = "ALTER Integrationrule crm_lookup__v ( MODIFY Fieldrule external_id__v ( active({}) ) );"
    await connected.medical.execute_mdl(switch.format("false"))
    try:
        (found,) = await looked_up(asker, ids=[account_id])
        assert "external_id__v" not in found["fields"]
        answer = await asker.ask(
            "POST", LOOKUP, "business", json={"external_id": f"T-{run}"}
        )
        assert answer["errors"][0]["type"] == "INVALID_DATA"
    finally:
        await connected.medical.execute_mdl(switch.format("true"))


async def test_what_is_refused(
    running: System, connected: Connected, asker: ConnectorCaller
) -> None:
    form = running.sign_ins()["medical_vault"]["integration"]
    url = f"{asker.vault_url}/api/v25.1/auth"
    async with aiohttp.ClientSession() as http, http.post(url, data=form) as signed_in:
        session = (await signed_in.json())["sessionId"]
    asker = replace(asker, sessions={**asker.sessions, "integration": session})
    for who, path, known, kind in (
        ("nobody", LOOKUP, {"name": "any"}, "INVALID_SESSION_ID"),
        ("integration", LOOKUP, {"name": "any"}, "INSUFFICIENT_ACCESS"),
        ("business", LOOKUP, {"country": "FR"}, "INVALID_DATA"),
        ("business", "crm-lookups/medical/nothing__c", {"name": "any"}, "INVALID_DATA"),
        (
            "business",
            "crm-lookups/crm/medical_crm__v",
            {"name": "any"},
            "INVALID_SESSION_ID",
        ),
    ):
        assert (await asker.ask("POST", path, who, json=known))["errors"][0][
            "type"
        ] == kind, (who, path)
    row = {"integration_point_api_name__sys": POINT, "status__v": "inactive__v"}
    await connected.medical.update(
        "integration_point__sys", [row], "integration_point_api_name__sys"
    )
    try:
        answer = await asker.ask("POST", LOOKUP, "business", json={"name": "any"})
        assert "inactive" in answer["errors"][0]["message"]
    finally:
        row["status__v"] = "active__v"
        await connected.medical.update(
            "integration_point__sys", [row], "integration_point_api_name__sys"
        )


async def test_a_message_for_it_writes_nothing(connected: Connected) -> None:
    account_id = await account(connected, new_run())
    contacts = "SELECT id FROM person__sys"
    before = (await connected.medical.query(contacts)).rows
    message = envelope([account_id], point=POINT, object_name="account__v")
    await put_on_queue(connected, message.encode())
    text = f"SELECT error_type__sys FROM exception_message__sys WHERE message_id__sys = '{message.message_id}'"

    async def refused() -> bool:
        rows = (await connected.medical.query(text)).rows
        return [row["error_type__sys"] for row in rows] == [
            ["configuration_error__sys"]
        ]

    await eventually("the refusal", refused)
    assert (await connected.medical.query(contacts)).rows == before
