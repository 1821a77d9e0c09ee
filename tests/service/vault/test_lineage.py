"""Lineage: sent with a write, stored in its transaction, read field by field; not for fields edited by users."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest

from shared.vault.assembly.vault import Vault
from tests.service.vault.browsing import browser
from tests.service.vault.objects import ITEMS, key
from tests.service.vault.served import Answer, Api

HEADER = "X-VaultAPI-Lineage"
UPSERT = f"{ITEMS}?idParam=key__c"
TIME = "2026-01-31T10:00:00.000Z"
ORIGINS = [
    {"object": "account__v", "rule": "one__c", "own": ["yes__c"]},
    {"object": "account__v"},
]
LINEAGE = "/services/lineage"


def header(**told: Any) -> dict[str, str]:
    whole = {
        "source_vault_id": 10102,
        "integration": "taking__c",
        "integration_point": "taking_in__c",
        "time": TIME,
    }
    return {HEADER: json.dumps({**whole, "origins": ORIGINS, **told})}


async def upsert(api: Api, *rows: dict[str, Any], **told: Any) -> Answer:
    return await api.post(
        UPSERT,
        json=[{"name__v": "item", **row} for row in rows],
        headers=header(**told),
    )


async def written(
    api: Api, name: str, message: str, origin: int = 0, **fields: Any
) -> str:
    """The id of a record written with the lineage of the source record ``{name}-source``."""
    answer = await upsert(
        api,
        {"key__c": name, "lineage__sys": [origin, message, f"{name}-source"], **fields},
    )
    assert answer.data[0]["responseStatus"] == "SUCCESS", answer.text
    return str(answer.ids[0])


async def lineage(
    api: Api, record: str, object_name: str = "item__c"
) -> dict[str, Any]:
    answer = await api.get(f"{LINEAGE}/vobjects/{object_name}/{record}")
    assert answer.status == "SUCCESS", answer.text
    return {field["field_name"]: field for field in answer.data["fields"]}


async def messages(api: Api, record: str) -> dict[str, str]:
    return {
        name: field["message_id"]
        for name, field in (await lineage(api, record)).items()
    }


async def test_a_new_record_tells_where_each_field_is_from(
    integration: Api, admin: Api
) -> None:
    name = key()
    record = await written(
        integration, name, "m-1", number__c=1, yes__c=True, text__c=None
    )
    fields = await lineage(admin, record)
    assert set(fields) == {"key__c", "name__v", "number__c", "yes__c"}, (
        "a field without a value has none"
    )
    assert fields["yes__c"]["integration_rule"] is None, (
        "the integration point has set it"
    )
    number = fields["number__c"]
    assert number.pop("date") >= "2026"
    assert number == {
        "field_name": "number__c",
        "integration_rule": "one__c",
        "message_id": "m-1",
        "job_id": None,
        "integration": "taking__c",
        "integration_point": "taking_in__c",
        "source_vault_id": 10102,
        "source_object": "account__v",
        "source_record_id": f"{name}-source",
        "connector_time": TIME,
        "changed_since": None,
    }


async def test_only_fields_that_a_write_changes_are_its_own(
    integration: Api, admin: Api
) -> None:
    name = key()
    record = await written(integration, name, "first", number__c=1, yes__c=True)
    await written(integration, name, "same", number__c=1, yes__c=True)
    assert set((await messages(admin, record)).values()) == {"first"}
    answer = await upsert(
        integration,
        {"key__c": name, "number__c": 2, "lineage__sys": [1, "second", None]},
        run=7,
    )
    assert answer.data[0]["responseStatus"] == "SUCCESS"
    fields = await lineage(admin, record)
    assert {name: field["message_id"] for name, field in fields.items()} == {
        "key__c": "first",
        "name__v": "first",
        "yes__c": "first",
        "number__c": "second",
    }
    number = fields["number__c"]
    assert (
        number["integration_rule"],
        number["job_id"],
        number["source_record_id"],
    ) == (None, 7, None)


async def test_what_somebody_edits_later_is_not_claimed(
    integration: Api, admin: Api, user: Api
) -> None:
    name = key()
    record = await written(integration, name, "first", number__c=1, ratio__c=1)
    assert (
        await user.put(ITEMS, json=[{"id": record, "number__c": 5}])
    ).status == "SUCCESS"
    fields = await lineage(admin, record)
    assert fields["ratio__c"]["changed_since"] is None
    changed = fields["number__c"]["changed_since"]
    assert (changed["user_name"], changed["date"] >= fields["number__c"]["date"]) == (
        "user@vault.example",
        True,
    )
    seen = (await lineage(user, record))["number__c"]["changed_since"]
    assert seen == {"date": changed["date"]}, (
        "who it was is for readers of the audit trail"
    )
    await written(integration, name, "second", number__c=5, ratio__c=1)
    assert (await lineage(admin, record))["number__c"]["changed_since"] == changed, (
        "it says what is there already"
    )
    await written(integration, name, "third", number__c=6, ratio__c=1)
    number = (await lineage(admin, record))["number__c"]
    assert (number["message_id"], number["changed_since"]) == ("third", None)


async def test_a_page_says_where_each_value_is_from_and_who_changed_it(
    integration: Api, user: Api
) -> None:
    name = key()
    record = await written(integration, name, "way", number__c=1, ratio__c=1)
    await user.put(ITEMS, json=[{"id": record, "number__c": 5, "text__c": "mine"}])
    said: dict[str, dict[str, str]] = {}
    texts: dict[str, str] = {}
    for who in ("admin", "user"):
        async with browser(integration.url, who) as visitor:
            page = await visitor.open(f"/ui/objects/item__c/{record}")
        found = re.finditer(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page.html, re.DOTALL)
        plain = {each[1]: re.sub(r"<.*?>", "", each[2]) for each in found}
        said[who] = {field: " ".join(text.split()) for field, text in plain.items()}
        texts[who] = page.text
    # What all values of a transfer have in common is said once.
    for text in texts.values():
        (once,) = re.findall(rf"From Vault 10102, record {name}-source,[^.]*\.", text)
        assert once.endswith("by the rule one__c."), text
    assert re.search(r"The message\. [^.]*Number, Ratio", texts["admin"])
    transferred = "From Vault 10102."
    assert transferred in said["admin"]["Ratio"]
    assert "Changed" not in said["admin"]["Ratio"]
    # Edited since, or never transferred.
    assert transferred in said["admin"]["Number"]
    assert said["admin"]["Number"].endswith("by user@vault.example.")
    assert "From" not in said["admin"]["Text"]
    assert said["admin"]["Text"].endswith("by user@vault.example.")
    # Who it was is for readers of the audit trail.
    assert transferred in said["user"]["Number"] and "Changed" in said["user"]["Number"]
    assert "by user@vault.example" not in said["user"]["Number"]


async def test_a_write_that_fails_or_is_left_out_claims_nothing(
    integration: Api, admin: Api
) -> None:
    good, bad = key(), key()
    told = {"lineage__sys": [0, "mixed", "S"]}
    answer = await upsert(
        integration,
        {"key__c": good, **told},
        {"key__c": bad, "number__c": "no number", **told},
    )
    assert [row["responseStatus"] for row in answer.data] == ["SUCCESS", "FAILURE"]
    page = await admin.get(f"{LINEAGE}/messages/mixed")
    assert [row["record_id"] for row in page.data] == [answer.data[0]["data"]["id"]]
    moment = {"source_modified_date__sys": TIME}
    await upsert(
        integration,
        {"key__c": good, "number__c": 1, **moment, "lineage__sys": [0, "taken", "S"]},
    )
    await upsert(
        integration,
        {"key__c": good, "number__c": 2, **moment, "lineage__sys": [0, "late", "S"]},
    )
    assert (await messages(admin, page.data[0]["record_id"]))["number__c"] == "taken"
    repeated = await upsert(
        integration,
        *({"key__c": key_, "lineage__sys": [0, "twice", "S"]} for key_ in (good, good)),
    )
    assert repeated.error == "INVALID_DATA"
    assert (await admin.get(f"{LINEAGE}/messages/twice")).data == []


async def test_what_a_message_has_written(integration: Api, admin: Api) -> None:
    first, second, message = key(), key(), key()
    rows = [
        {"key__c": name, "number__c": 1, "lineage__sys": [0, message, f"{name}-source"]}
        for name in (first, second)
    ]
    made = await upsert(integration, *rows, run=3)
    await written(integration, first, message, yes__c=True)
    page = (await admin.get(f"{LINEAGE}/messages/{message}")).data
    told = [
        (row["record_id"], row["fields_by_rule"], row["fields_by_integration_point"])
        for row in page
    ]
    created = ["key__c", "name__v", "number__c"]
    assert told == [
        (made.ids[0], created, []),
        (made.ids[1], created, []),
        (made.ids[0], [], ["yes__c"]),
    ]
    assert [row["job_id"] for row in page] == [3, 3, None]
    rest = await admin.get(
        f"{LINEAGE}/messages/{message}", params={"limit": 1, "offset": 2}
    )
    assert rest.data == page[2:]


async def test_integrations_are_named_as_they_were_sent(
    integration: Api, admin: Api
) -> None:
    named = {"integration": "Überträge, all", "integration_point": "in & out"}
    answer = await upsert(
        integration, {"key__c": key(), "lineage__sys": [0, "m", "S"]}, **named
    )
    field = (await lineage(admin, answer.ids[0]))["key__c"]
    assert {name: field[name] for name in named} == named


async def test_updates_by_id_and_plain_creates_store_it_too(
    integration: Api, admin: Api
) -> None:
    row = {"name__v": "item", "key__c": key(), "lineage__sys": [0, "made", "S"]}
    (record,) = (await integration.post(ITEMS, json=[row], headers=header())).ids
    change = {"id": record, "number__c": 3, "lineage__sys": [0, "changed", "S"]}
    await integration.put(ITEMS, json=[change], headers=header())
    assert await messages(admin, record) == {
        "name__v": "made",
        "key__c": "made",
        "number__c": "changed",
    }


@pytest.mark.parametrize(
    "told",
    [
        {"origins": []},
        {"origins": [{"rule": "no name"}]},
        {"time": "yesterday"},
        {"time": "0001-01-01T00:00:00+14:00"},
        {"run": True},
        {"source_vault_id": 0},
        {"more": 1},
        {"origins": [{"own": ["f__c"] * 51}]},
        {"integration": "x" * 20_000},
    ],
)
async def test_a_header_that_cannot_be_read_is_refused(
    integration: Api, told: dict[str, Any]
) -> None:
    answer = await upsert(integration, {"key__c": key()}, **told)
    assert answer.error == "INVALID_DATA"
    assert HEADER in answer.message


@pytest.mark.parametrize(
    "value",
    [
        [2, "m", "r"],
        [0, "m"],
        [0, "", "r"],
        ["0", "m", "r"],
        [True, "m", None],
        "m",
        [-1, "m", "r"],
    ],
)
async def test_a_row_that_cannot_be_read_fails_alone(
    integration: Api, value: object
) -> None:
    answer = await upsert(
        integration, {"key__c": key(), "lineage__sys": value}, {"key__c": key()}
    )
    assert [row["responseStatus"] for row in answer.data] == ["FAILURE", "SUCCESS"]
    assert answer.data[0]["errors"][0]["type"] == "INVALID_DATA"


async def test_lineage_is_accepted_only_from_callers_who_copy_records(
    integration: Api, user: Api
) -> None:
    assert (await upsert(user, {"key__c": key()})).error == "INSUFFICIENT_ACCESS"
    row = {"name__v": "item", "key__c": key(), "lineage__sys": [0, "m", "r"]}
    answer = await integration.post(UPSERT, json=[row])
    assert answer.data[0]["errors"][0]["type"] == "INVALID_DATA", (
        "the call tells of no origin"
    )


async def test_a_deleted_record_takes_its_lineage_with_it(
    integration: Api, admin: Api
) -> None:
    message = key()
    record = await written(integration, key(), message)
    assert (await admin.delete(f"{ITEMS}/{record}")).status == "SUCCESS"
    assert (await admin.get(f"{LINEAGE}/messages/{message}")).data == []
    assert (
        await admin.get(f"{LINEAGE}/vobjects/item__c/{record}")
    ).error == "INVALID_DATA"


CALLS = "SELECT count(*) FROM platform.lineage_call WHERE message_id = $1"


async def test_rows_of_one_message_and_origin_share_what_they_have_in_common(
    vault: Vault, integration: Api, admin: Api
) -> None:
    message, names = key(), [key(), key(), key()]
    rows = [
        {"key__c": name, "lineage__sys": [min(place, 1), message, name]}
        for place, name in enumerate(names)
    ]
    made = await upsert(integration, *rows)
    async with vault.database.connection() as connection:
        assert await connection.fetchval(CALLS, message) == len(ORIGINS)
        written = (await admin.get(f"{LINEAGE}/messages/{message}")).data
        assert [row["record_id"] for row in written] == made.ids
        assert [row["source_record_id"] for row in written] == names
        rules = [row["integration_rule"] for row in written]
        assert rules == ["one__c", None, None]
        left = []
        for record in made.ids:
            await admin.delete(f"{ITEMS}/{record}")
            left.append(await connection.fetchval(CALLS, message))
    # The last record of a call takes the call with it.
    assert left == [1, 1, 0]


async def test_what_was_overwritten_a_month_ago_is_purged(
    vault: Vault, integration: Api, admin: Api
) -> None:
    name, other = key(), key()
    record = await written(integration, name, f"{name}-1", number__c=1)
    await written(integration, name, f"{name}-2", number__c=2)
    await written(integration, name, f"{name}-3", number__c=3)
    await written(integration, other, f"{other}-1", number__c=1)
    await written(integration, other, f"{other}-2", number__c=2)
    age = "UPDATE platform.lineage_call SET written = now() - $2::interval WHERE message_id = ANY($1)"
    async with vault.database.connection() as connection:
        old = [f"{name}-1", f"{name}-2", f"{name}-3", f"{other}-1"]
        await connection.execute(age, old, timedelta(days=31))
    assert await vault.lineage.purge() == 1
    totals = {
        message: (await admin.get(f"{LINEAGE}/messages/{message}")).body[
            "responseDetails"
        ]["total"]
        for message in (*old, f"{other}-2")
    }
    # The first write of each record still tells of the key.
    assert totals == {
        f"{name}-1": 1,
        f"{name}-2": 0,
        f"{name}-3": 1,
        f"{other}-1": 1,
        f"{other}-2": 1,
    }
    assert await messages(admin, record) == {
        "key__c": f"{name}-1",
        "name__v": f"{name}-1",
        "number__c": f"{name}-3",
    }
