"""Previews of transfers, which write nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from shared.client import VaultClient
from tests.system.conditions import Connected, new_run
from tests.system.connector_calls import ConnectorCaller
from tests.system.test_rules import CHANNEL, add_rules, drop_rules
from tests.system.test_transfer import account, create, inquiry, transferred

RULE = "medical_inquiries__v"
LONG_QUESTION = "Is it safe? " * 99 + "Is it?"


@dataclass(frozen=True)
class Previews:
    """The previews of the Medical Vault."""

    asker: ConnectorCaller

    async def ask(self, who: str = "admin", **asked: Any) -> dict[str, Any]:
        return await self.asker.ask("POST", "previews/medical", who, json=asked)

    async def of(self, item: str, **asked: Any) -> Any:
        answer = await self.ask(ids=[item], **asked)
        assert answer["responseStatus"] == "SUCCESS", answer
        data: Any = answer["data"]
        (record,) = data
        return record


@pytest.fixture
def previews(asker: ConnectorCaller) -> Previews:
    return Previews(asker)


def fields(record: Any, rule: str) -> dict[str, Any]:
    (part,) = [part for part in record["rules"] if part["rule"] == rule]
    return {field["field_rule"]: field for field in part["fields"]}


def events(record: Any) -> dict[str, str]:
    return {write["object"]: write["event"] for write in record["writes"]}


async def count(client: VaultClient, object_name: str) -> int:
    return len((await client.query(f"SELECT id FROM {object_name}")).rows)


async def test_a_preview_says_what_a_transfer_then_does(
    connected: Connected, previews: Previews
) -> None:
    run = new_run()
    item = await inquiry(
        connected, await account(connected, run), inquiry_text__v=LONG_QUESTION
    )
    written = (
        "person__sys",
        "case_contact_source_data__v",
        "case__v",
        "case_request__v",
        "exception_message__sys",
    )
    before = {name: await count(connected.medical, name) for name in written}
    record = await previews.of(item, rule=RULE)
    assert (record["result"], record["error"]) == ("created", None)
    assert events(record) == {
        **dict.fromkeys(written[:4], "created"),
        "medical_inquiry__v": "updated",
    }
    by_target = {
        field["target_field"]: field for field in fields(record, RULE).values()
    }
    assert (
        by_target["question__v"]["source_value"]
        == by_target["question__v"]["target_value"]
        == LONG_QUESTION
    )
    assert (
        by_target["priority__v"]["reference_lookup"] == "delivery_method_to_priority__v"
    )
    assert {name: await count(connected.medical, name) for name in written} == before
    assert (await connected.crm.record("medical_inquiry__v", item))[
        "transfer_status__v"
    ] != ["success__v"]
    request = await transferred(connected, item)
    stored = await connected.medical.record("case_request__v", str(request["id"]))
    (write,) = [
        write for write in record["writes"] if write["object"] == "case_request__v"
    ]
    assert {
        name: stored[name] for name in ("question__v", "link__sys", "product__v")
    } == {
        name: write["changes"][name]["new"]
        for name in ("question__v", "link__sys", "product__v")
    }
    assert (await previews.of(item, rule=RULE))["result"] == "unchanged"


async def test_an_account_is_left_then_updated(
    connected: Connected, previews: Previews
) -> None:
    run = new_run()
    account_id = await account(connected, run)
    await transferred(connected, await inquiry(connected, account_id))
    asked = {"integration_point": "account_inbound__v", "object": "account__v"}
    record = await previews.of(account_id, **asked)
    assert (record["result"], set(events(record).values())) == (
        "unchanged",
        {"unchanged"},
    )
    await connected.crm.update(
        "account__v", [{"id": account_id, "last_name_cda__v": f"Renamed {run}"}]
    )
    record = await previews.of(account_id, **asked)
    assert record["result"] == "updated"
    (write,) = [write for write in record["writes"] if write["object"] == "person__sys"]
    assert write["changes"] == {
        "last_name__sys": {"stored": f"Example {run}", "new": f"Renamed {run}"}
    }
    hidden = await previews.of(await account(connected, f"{run}2", "CH"), **asked)
    assert (hidden["result"], hidden["rules"], hidden["writes"]) == ("skipped", [], [])


async def test_metadata_is_previewed_before_its_integration_is_active(
    connected: Connected, previews: Previews
) -> None:
    run = new_run()
    item = await create(
        connected.crm,
        "directory__v",
        {"name__v": f"Directory {run}", "external_id__v": run},
    )
    record = await previews.of(item, integration_point="crm_directory_inbound__v")
    (write,) = [
        write for write in record["writes"] if write["object"] == "crm_directory__v"
    ]
    assert (record["result"], write["event"], write["id"]) == (
        "created",
        "created",
        None,
    )
    assert write["changes"]["external_id__v"] == {"stored": None, "new": run}
    assert (
        await connected.medical.query(
            f"SELECT id FROM crm_directory__v WHERE external_id__v = '{run}'"
        )
    ).rows == []


async def test_errors_are_listed_field_by_field(
    connected: Connected, previews: Previews
) -> None:
    run = new_run()
    lookup = f"{CHANNEL}, reference_lookup('none_{run}__c'), reference_lookup_type('generic')"
    rules = {
        "lost": lookup,
        "origin": "field_default('source_id'), field_default_type('code')",
    }
    item = await inquiry(connected, await account(connected, run))
    await add_rules(connected, run, rules)
    try:
        record = await previews.of(item, rule=RULE)
        shown = fields(record, RULE)
        assert (record["result"], record["error"]["field_rule"]) == (
            "failed",
            f"lost_{run}__c",
        )
        lost, origin = shown[f"lost_{run}__c"], shown[f"origin_{run}__c"]
        assert (lost["source_value"], lost["target_value"]) == (["email__v"], None)
        assert f"none_{run}__c" in lost["error"]
        assert (origin["target_value"], origin["error"]) == (item, None)
    finally:
        await drop_rules(connected, run, rules)


async def test_a_rule_in_the_request_is_tried_before_it_is_saved(
    connected: Connected, previews: Previews
) -> None:
    item = await inquiry(connected, await account(connected, new_run()))
    (rule,) = [
        row
        for row in await connected.medical.configuration("Integrationrule")
        if row["name"] == RULE
    ]
    parts: Any = rule["Fieldrule"]
    (question,) = [
        part
        for part in parts
        if str(part["target_object_field"]).endswith("question__v")
    ]
    question |= {"field_default": "Said by the draft", "query_field": "no_such__v"}
    answer = await previews.ask(ids=[item], rule=rule)
    assert answer["errors"][0]["type"] == "INVALID_DATA"
    assert question["name"] in answer["errors"][0]["message"]
    del question["query_field"]
    shown = fields(await previews.of(item, rule=rule), RULE)[question["name"]]
    assert (shown["source_value"], shown["target_value"]) == (None, "Said by the draft")
    saved = fields(await previews.of(item, rule=RULE), RULE)[question["name"]]
    assert saved["target_value"] == "Is there a pediatric dose?"


async def test_previews_are_for_those_who_manage_integrations(
    previews: Previews,
) -> None:
    asked = {"rule": RULE, "ids": ["V00000000000001"]}
    refused = {
        "business": (await previews.ask("business", **asked))["errors"][0]["type"],
        "nobody": (await previews.ask("nobody", **asked))["errors"][0]["type"],
        "too many": (await previews.ask(rule=RULE, ids=[str(n) for n in range(21)]))[
            "errors"
        ][0]["type"],
        "no such rule": (await previews.ask(rule="none__c", ids=["1"]))["errors"][0][
            "type"
        ],
    }
    assert refused == {
        "business": "INSUFFICIENT_ACCESS",
        "nobody": "INVALID_SESSION_ID",
        "too many": "INVALID_DATA",
        "no such rule": "INVALID_DATA",
    }
    missing = await previews.of("V00000000000001", rule=RULE)
    assert (missing["result"], missing["error"]["type"]) == (
        "failed",
        "source_record_error__sys",
    )
