"""Field rules that an administrator adds: selected expressions, defaults, lookups without a row, declared types."""

from __future__ import annotations

from collections.abc import Mapping

from shared.client.results import Row
from tests.system.conditions import Connected, eventually, new_run
from tests.system.test_transfer import account, inquiry, one, transferred

RETRY = "Objectaction.exception_message__sys.retry_transfer__sys"
CHANNEL = "query_object('medical_inquiry__v'), query_field('delivery_method__v')"


async def add_rules(connected: Connected, run: str, rules: Mapping[str, str]) -> None:
    """Add to Case Request a text field of each name, ``{name}_{run}__c``, and a field rule that fills it."""
    for name, attributes in rules.items():
        field = f"{name}_{run}__c"
        await connected.medical.execute_mdl(
            f"ALTER Object case_request__v ( ADD Field {field} ( label('{name}'), type('String'), max_length(30) ) );"
            f"ALTER Integrationrule medical_inquiries__v ( ADD Fieldrule {field} ("
            f" target_object('Object.case_request__v'), target_object_field('Field.{field}'), {attributes} ) );"
        )


async def drop_rules(connected: Connected, run: str, rules: Mapping[str, str]) -> None:
    parts = ", ".join(f"DROP Fieldrule {name}_{run}__c" for name in rules)
    await connected.medical.execute_mdl(
        f"ALTER Integrationrule medical_inquiries__v ( {parts} );"
    )


async def item_of(connected: Connected, inquiry_id: str) -> Row:
    """The exception item of an inquiry, once it has one."""
    text = (
        "SELECT id, error_type__sys, error_status__sys, field_rule__sys, error_message__sys, exception_message__sys "
        f"FROM exception_item__sys WHERE item__sys = '{inquiry_id}'"
    )

    async def recorded() -> bool:
        return bool((await connected.medical.query(text)).rows)

    await eventually("the item", recorded)
    return await one(connected.medical, text)


async def test_each_setting_of_a_field_rule_fills_its_field_or_says_why_not(
    connected: Connected,
) -> None:
    run = new_run()
    lookup = f"reference_lookup('channels_{run}__c'), reference_lookup_type('generic')"
    rules = {
        "label": "query_object('medical_inquiry__v'), query_field('channel'), "
        "query_field_select('TOLABEL(delivery_method__v) AS channel')",
        "cut": "query_object('medical_inquiry__v'), query_field('inquiry_text__v'), evaluate_field_length('truncate')",
        "origin": "field_default('source_global_id'), field_default_type('code')",
        "instead": f"{CHANNEL}, {lookup}, missing_lookup('default'), field_default('no channel')",
        "warned": f"{CHANNEL}, {lookup}, missing_lookup('warning')",
    }
    await add_rules(connected, run, rules)
    try:
        inquiry_id = await inquiry(
            connected, await account(connected, run), inquiry_text__v="Is it safe? " * 9
        )
        request = await transferred(connected, inquiry_id)
        record = await connected.medical.record("case_request__v", str(request["id"]))
        assert {name: record[f"{name}_{run}__c"] for name in rules} == {
            "label": "Email",
            "cut": ("Is it safe? " * 9)[:30],
            "origin": f"20202_{inquiry_id}",
            "instead": "no channel",
            "warned": None,
        }
        item = await item_of(connected, inquiry_id)
        assert (item["error_type__sys"], item["error_status__sys"]) == (
            ["reference_lookup_error__sys"],
            ["warning__sys"],
        )
        assert item["field_rule__sys"] == f"warned_{run}__c"
        message = str(item["exception_message__sys"])
        exception = await connected.medical.record("exception_message__sys", message)
        assert (
            exception["error_status__sys"],
            exception["message_items_failed__sys"],
        ) == (["warning__sys"], 0)
        await _add_lookup(connected, f"channels_{run}__c")
        await connected.medical.run_action("exception_message__sys", message, RETRY)

        async def resolved() -> bool:
            row = await connected.medical.record("exception_message__sys", message)
            return row["error_status__sys"] == ["resolved__sys"]

        await eventually("the warning being resolved once there is a lookup", resolved)
        request = await transferred(
            connected, await inquiry(connected, await account(connected, f"{run}2"))
        )
        record = await connected.medical.record("case_request__v", str(request["id"]))
        assert (record[f"instead_{run}__c"], record[f"warned_{run}__c"]) == (
            "by mail",
            "by mail",
        )
    finally:
        await drop_rules(connected, run, rules)


async def _add_lookup(connected: Connected, name: str) -> None:
    row = {
        "connection__sysr.api_name__sys": "medical_crm__v",
        "reference_lookup_name__sys": name,
        "reference_lookup_type__sys": "generic__sys",
        "source_key__sys": "email__v",
        "target_key__sys": "by mail",
    }
    (result,) = await connected.medical.create("reference_lookup__sys", [row])
    assert result.ok, result.errors


async def test_a_missing_lookup_and_a_wrong_type_each_fail_the_record_by_name(
    connected: Connected,
) -> None:
    cases = {
        "lost": (
            f"{CHANNEL}, reference_lookup('none__c'), reference_lookup_type('generic')",
            "reference_lookup_error__sys",
        ),
        "typed": (
            f"{CHANNEL}, query_field_type('vobject_number__sys')",
            "field_value_error__sys",
        ),
    }
    for name, (attributes, error_type) in cases.items():
        run = new_run()
        await add_rules(connected, run, {name: attributes})
        try:
            inquiry_id = await inquiry(connected, await account(connected, run))
            await transferred(connected, inquiry_id, "failed__v")
            item = await item_of(connected, inquiry_id)
            assert item["error_type__sys"] == [error_type]
            assert item["error_status__sys"] == ["open__sys"]
            assert item["field_rule__sys"] == f"{name}_{run}__c"
        finally:
            await drop_rules(connected, run, {name: attributes})
