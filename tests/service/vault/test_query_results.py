"""What a query answers about its records: values, functions, decimals, record properties and facets."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service.vault import crates as stored
from tests.service.vault.crates import CRATES, upserted
from tests.service.vault.served import Api

crates = stored.crates


async def test_functions_give_labels_whole_texts_and_markup(integration: Api) -> None:
    answer = await integration.query(
        "SELECT TOLABEL(ware__c) AS ware, TOLABEL(wares__c) AS wares, TRIM(wares__c) AS trimmed, ware__c,"
        " TOLABEL(state__v) AS state, state__v, TOLABEL(object_type__v) AS type, object_type__vr.api_name__v,"
        " TODISPLAYFORMAT(weight__c) AS weight, text__c, LONGTEXT(text__c) AS whole, markup__c,"
        " LONGTEXT(markup__c) AS plain, RICHTEXT(markup__c) AS markup FROM crate__c WHERE key__c = 'C-1'",
        headers={"X-VaultAPI-DescribeQuery": "true"},
    )
    text = str(CRATES[0]["text__c"])
    assert answer.data == [
        {
            "ware": ["Tea"],
            "wares": ["Tea", "Red Wine"],
            "trimmed": ["tea", "red_wine"],
            "ware__c": ["tea__c"],
            "state": "Packed and sealed",
            "state__v": "packed__c",
            "type": "Cold Crate",
            "object_type__vr.api_name__v": "cold__c",
            "weight": "1.25",
            "text__c": text[:250],
            "whole": text,
            "markup__c": "Keep cold",
            "plain": "Keep cold",
            "markup": "<p>Keep <b>cold</b></p>",
        }
    ]
    described = {
        field["name"]: field for field in answer.body["queryDescribe"]["fields"]
    }
    assert (described["ware"]["function"], described["ware"]["alias"]) == (
        "TOLABEL",
        True,
    )
    assert answer.body["queryDescribe"]["type"] == "select__sys"


async def test_rich_text_is_read_and_found_as_people_read_it(integration: Api) -> None:
    markup = "<p>BP 5 < 6 and more</p><p>Caf&eacute;&nbsp;&amp; x&lt;y</p>"
    plain = "BP 5 < 6 and more\nCafé\xa0& x<y"
    row: dict[str, object] = {"key__c": "rich", "markup__c": markup}
    await upserted(integration, "parcel__c", row)
    selected = "markup__c, LONGTEXT(markup__c) AS plain, RICHTEXT(markup__c) AS markup"
    answer = await integration.query(
        f"SELECT {selected} FROM parcel__c WHERE key__c = 'rich'"
    )
    assert answer.data == [{"markup__c": plain, "plain": plain, "markup": markup}]
    found = {
        words: (await integration.query(f"SELECT id FROM parcel__c {words}")).body[
            "responseDetails"
        ]["size"]
        for words in (
            "FIND ('cafe')",
            "FIND ('more' SCOPE markup__c)",
            "FIND ('lt')",
            "FIND ('nbsp' SCOPE markup__c)",
            "WHERE markup__c LIKE '<p>BP%'",
        )
    }
    assert list(found.values()) == [1, 1, 0, 0, 1], found


async def test_a_record_read_by_itself_has_its_markup(integration: Api) -> None:
    record_id = (
        await integration.query("SELECT id FROM crate__c WHERE key__c = 'C-1'")
    ).data[0]["id"]
    record = (await integration.get(f"/vobjects/crate__c/{record_id}")).data
    assert record["markup__c"] == "<p>Keep <b>cold</b></p>"
    assert record["text__c"] == CRATES[0]["text__c"]


@pytest.mark.parametrize("given", ["1.250", "1234567890123456.789", "-0.001"])
async def test_numbers_have_all_their_decimals(integration: Api, given: str) -> None:
    """Exactly as stored, and padded to the decimals of their field; a floating point number would have 15 digits."""
    row: dict[str, object] = {"key__c": "exact", "weight__c": given}
    written = await upserted(integration, "parcel__c", row)
    answer = await integration.query(
        "SELECT id, weight__c, length__c FROM parcel__c WHERE key__c = 'exact'"
    )
    assert f'"weight__c":{given}' in answer.text and '"length__c":null' in answer.text
    read = await integration.get(f"/vobjects/parcel__c/{written.ids[0]}")
    assert f'"weight__c":{given}' in read.text
    item: dict[str, object] = {"key__c": "exact", "parcel__cr.key__c": "exact"}
    await upserted(integration, "parcel_item__c", item)
    above = await integration.query(
        "SELECT parcel__cr.weight__c FROM parcel_item__c WHERE key__c = 'exact'"
    )
    assert f'"parcel__cr.weight__c":{given}' in above.text


async def properties(api: Api, text: str, asked: str) -> list[Any]:
    """Return the record properties that a query answers beside its records."""
    headers = {"X-VaultAPI-RecordProperties": asked}
    return list((await api.query(text, headers=headers)).body["record_properties"])


CRATE = "SELECT name__v, ware__c, created_by__v, object_type__vr.name__v FROM crate__c WHERE key__c = 'C-1'"


async def id_of_crate(api: Api) -> str:
    found = await api.query("SELECT id FROM crate__c WHERE key__c = 'C-1'")
    return str(found.data[0]["id"])


async def test_record_properties_say_what_the_caller_may_do(integration: Api) -> None:
    expected: dict[str, Any] = {
        "id": await id_of_crate(integration),
        "field_properties": {
            "hidden": [],
            "redacted": [],
            "edit": ["name__v", "ware__c"],
        },
        "permissions": {"read": True, "edit": True, "create": True, "delete": False},
        "subquery_properties": {},
        "field_additional_data": {"web_link": []},
    }
    assert await properties(integration, CRATE, "all") == [expected]


async def test_record_properties_differ_by_caller(admin: Api) -> None:
    (found,) = await properties(admin, CRATE, "ALL")
    assert found["permissions"]["delete"] is True


async def test_only_the_record_properties_that_were_asked_for_are_answered(
    integration: Api,
) -> None:
    assert await properties(integration, CRATE, "hidden") == [
        {
            "id": await id_of_crate(integration),
            "field_properties": {"hidden": []},
            "field_additional_data": {"web_link": []},
        }
    ]


async def test_record_properties_are_answered_on_request_only(integration: Api) -> None:
    assert "record_properties" not in (await integration.query(CRATE)).body


async def test_unknown_record_properties_are_refused(integration: Api) -> None:
    asked = {"X-VaultAPI-RecordProperties": "everything"}
    assert (await integration.query(CRATE, headers=asked)).error == "INVALID_DATA"


async def test_what_the_caller_may_only_read_has_no_field_to_edit(
    integration: Api,
) -> None:
    text = "SELECT api_name__sys FROM connection__sys"
    found, *_ = await properties(integration, text, "all")
    assert found["field_properties"]["edit"] == []


async def test_records_of_the_configuration_may_only_be_read(admin: Api) -> None:
    text = "SELECT api_name__v FROM object_type__v MAXROWS 1"
    (found,) = await properties(admin, text, "all")
    assert found["permissions"] == {
        "read": True,
        "edit": False,
        "create": False,
        "delete": False,
    }


async def test_facets_count_the_whole_result(integration: Api) -> None:
    headers = {"X-VaultAPI-Facets": "wares__c, fragile__c,state__v"}
    answer = await integration.query(
        "SELECT id FROM crate__c WHERE key__c != 'x' PAGESIZE 1", headers=headers
    )
    facets = {facet["name"]: facet for facet in answer.body["facets"]}
    assert facets["wares__c"] == {
        "label": "Wares",
        "type": "Picklist",
        "name": "wares__c",
        "count": 2,
        "truncated_list": False,
        "values": [
            {"value": "red_wine__c", "result_count": 1},
            {"value": "tea__c", "result_count": 1},
        ],
    }
    assert [value["value"] for value in facets["fragile__c"]["values"]] == [
        "false",
        "true",
    ]
    assert facets["state__v"]["values"] == [{"value": "packed__c", "result_count": 3}]


@pytest.mark.parametrize("wrong", ["name__v", "nothing__c", "a b"])
async def test_facets_of_fields_without_a_list_of_values_are_refused(
    integration: Api, wrong: str
) -> None:
    answer = await integration.query(
        "SELECT id FROM crate__c", headers={"X-VaultAPI-Facets": wrong}
    )
    assert answer.error == "INVALID_DATA"
