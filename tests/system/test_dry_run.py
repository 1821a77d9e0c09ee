"""Dry runs of an integration, counted; and missing lookups, as a file to fill in."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

import aiohttp

from tests.system import module_system
from tests.system.conditions import Connected, new_run
from tests.system.connector_calls import ConnectorCaller
from tests.system.test_rules import CHANNEL, add_rules, drop_rules, item_of
from tests.system.test_transfer import account, create, inquiry, one, transferred

running, connected = module_system.running, module_system.connected
INTEGRATION = "medical_inquiry_details__v"
MISSING = "missing-lookups/medical/medical_crm__v"


async def data_of(asker: ConnectorCaller, path: str, **params: str) -> Any:
    answer = await asker.ask("GET", path, params=params)
    assert answer["responseStatus"] == "SUCCESS", answer
    return answer["data"]


def of_set(answer: Any, name: str) -> dict[str, int]:
    listed = answer["missing_lookups"]
    return {
        row["source_key__sys"]: row["count"]
        for row in listed
        if row["reference_lookup_name__sys"] == name
    }


async def loaded(asker: ConnectorCaller, row: Mapping[str, str]) -> None:
    file = io.StringIO()
    csv.writer(file).writerows([row.keys(), row.values()])
    url = f"{asker.vault_url}/api/v25.1/vobjects/reference_lookup__sys"
    headers = {
        "Authorization": asker.sessions["admin"],
        "Content-Type": "text/csv",
        "Accept": "application/json",
    }
    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.post(url, data=file.getvalue().encode()) as answer,
    ):
        (result,) = (await answer.json())["data"]
    assert result["responseStatus"] == "SUCCESS", result


async def test_a_dry_run_counts_what_a_run_would_do(
    connected: Connected, asker: ConnectorCaller
) -> None:
    run = new_run()
    since = (await connected.crm.clock()).date_time
    new, hidden = (
        await account(connected, run),
        await account(connected, f"{run}2", "CH"),
    )
    told_of = await data_of(asker, f"dry-runs/medical/{INTEGRATION}", since=since)
    assert (
        told_of["read"],
        told_of["written"],
        told_of["failed"],
        told_of["complete"],
    ) == (1, 1, 0, True)
    assert told_of["writes"] == {
        "person__sys": {"created": 1},
        "case_contact_source_data__v": {"created": 1},
    }
    for record in (new, hidden):
        text = f"SELECT id FROM case_contact_source_data__v WHERE link__sys = '{connected.crm.vault_id}_{record}'"
        assert (await connected.medical.query(text)).rows == []


async def test_an_integration_is_tried_before_it_is_active(
    connected: Connected, asker: ConnectorCaller
) -> None:
    run = new_run()
    since = (await connected.crm.clock()).date_time
    await create(connected.crm, "directory__v", {"name__v": run, "external_id__v": run})
    integration = "crm_metadata_sync_directory__v"
    state = await one(
        connected.medical,
        f"SELECT status__v FROM integration__sys WHERE integration_api_name__sys = '{integration}'",
    )
    assert state["status__v"] == ["inactive__v"]
    told_of = await data_of(asker, f"dry-runs/medical/{integration}", since=since)
    assert told_of["writes"]["crm_directory__v"] == {"created": 1}


async def test_missing_lookups_are_listed_filled_in_and_loaded_back(
    connected: Connected, asker: ConnectorCaller
) -> None:
    run = new_run()
    since, name = (await connected.crm.clock()).date_time, f"none_{run}__c"
    rules = {
        "lost": f"{CHANNEL}, reference_lookup('{name}'), reference_lookup_type('generic')"
    }
    await add_rules(connected, run, rules)
    try:
        for number in range(2):
            item = await inquiry(connected, await account(connected, f"{run}{number}"))
            await transferred(connected, item, "failed__v")
            await item_of(connected, item)
        assert of_set(await data_of(asker, MISSING), name) == {"email__v": 2}
        assert of_set(
            await data_of(asker, MISSING, integration=INTEGRATION, since=since), name
        ) == {"email__v": 2}
        dry = await data_of(asker, f"dry-runs/medical/{INTEGRATION}", since=since)
        assert (dry["failed"], of_set(dry, name)) == (2, {"email__v": 2})
        assert {failure["field_rule"] for failure in dry["failures"]} == {
            f"lost_{run}__c"
        }
        content = await asker.text("GET", MISSING, params={"format": "csv"})
        heading, *rows = csv.reader(io.StringIO(content))
        (row,) = [row for row in rows if name in row]
        filled = dict(zip(heading, row, strict=True)) | {"target_key__sys": "by mail"}
        await loaded(asker, filled)
        assert of_set(await data_of(asker, MISSING), name) == {}
    finally:
        await drop_rules(connected, run, rules)


async def test_what_cannot_be_counted_is_refused(asker: ConnectorCaller) -> None:
    for path, who, kind in (
        (MISSING, "business", "INSUFFICIENT_ACCESS"),
        ("missing-lookups/medical/nothing__c", "admin", "INVALID_DATA"),
        ("dry-runs/medical/nothing__v", "admin", "INVALID_DATA"),
        (f"dry-runs/medical/{INTEGRATION}?since=yesterday", "admin", "INVALID_DATA"),
    ):
        assert (await asker.ask("GET", path, who))["errors"][0]["type"] == kind, path
