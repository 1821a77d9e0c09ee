"""Rules of the write path: unique fields, keys, required fields, deletion; every row has a result of its own."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.service.vault.objects import (
    ITEMS,
    OWNERS,
    items,
    key,
    outcomes,
    owner,
    record,
)
from tests.service.vault.served import Api

TAKEN, INVALID, REQUIRED = "OPERATION_NOT_ALLOWED", "INVALID_DATA", "PARAMETER_REQUIRED"


async def test_rows_fail_alone_and_answer_in_input_order(user: Api) -> None:
    taken = key()
    await items(user, 1, key__c=taken)
    rows: list[dict[str, Any]] = [
        {"name__v": "good"},
        {"name__v": "taken", "key__c": taken},
        {"name__v": "long", "text__c": "x" * 11},
        {"text__c": "no name"},
        {"name__v": "good", "nothing__c": 1},
        {"name__v": "good"},
    ]
    answer = await user.post(ITEMS, json=rows)
    assert outcomes(answer) == [
        "SUCCESS",
        TAKEN,
        INVALID,
        REQUIRED,
        "ATTRIBUTE_NOT_SUPPORTED",
        "SUCCESS",
    ]
    assert answer.data[0]["data"]["id"] < answer.data[5]["data"]["id"]


async def test_of_many_new_rows_those_of_a_taken_value_fail_alone(user: Api) -> None:
    taken = key()
    await items(user, 1, key__c=taken)
    rows = [{"name__v": f"row {number}", "key__c": key()} for number in range(100)]
    rows[70]["key__c"] = taken
    answer = await user.post(ITEMS, json=rows)

    expected = ["SUCCESS"] * 100
    expected[70] = TAKEN
    assert outcomes(answer) == expected


async def test_two_calls_may_create_the_same_many_records(user: Api) -> None:
    keys = [key() for _ in range(100)]
    rows = [{"name__v": "same", "key__c": each} for each in keys]
    calls = [user.post(f"{ITEMS}?idParam=key__c", json=rows) for _ in range(3)]
    answers = await asyncio.gather(*calls)

    found = [[row["data"]["id"] for row in answer.data] for answer in answers]
    assert found[0] == found[1] == found[2]
    assert len(set(found[0])) == 100


async def test_a_value_repeated_in_a_call_fails_the_repeat_only(user: Api) -> None:
    one, two = key(), key()
    rows = [
        {"key__c": one},  # fails for want of a name, and so holds no key back
        {"name__v": "a", "key__c": one},
        {"name__v": "b", "key__c": one, "second_key__c": two},
        {"name__v": "c", "second_key__c": two},
    ]
    assert outcomes(await user.post(ITEMS, json=rows)) == [
        REQUIRED,
        "SUCCESS",
        TAKEN,
        "SUCCESS",
    ]


async def test_a_taken_value_fails_its_row_and_says_which_field(user: Api) -> None:
    one, two = key(), key()
    first, second = (
        await items(user, 1, key__c=one),
        await items(user, 1, second_key__c=two),
    )
    answer = await user.put(
        ITEMS,
        json=[
            {"id": first[0], "second_key__c": two},
            {"id": second[0], "second_key__c": two, "text__c": "new"},
        ],
    )
    assert outcomes(answer) == [TAKEN, "SUCCESS"]
    message = answer.data[0]["errors"][0]["message"]
    assert "second_key__c" in message
    assert two not in message


async def test_two_updates_of_one_call_cannot_take_one_value(user: Api) -> None:
    wanted = key()
    ids = await items(user, 2)
    answer = await user.put(
        ITEMS, json=[{"id": i, "second_key__c": wanted} for i in ids]
    )
    assert outcomes(answer) == ["SUCCESS", TAKEN]


async def test_a_repeated_id_fails_its_repeats_only(user: Api) -> None:
    (record_id,) = await items(user, 1)
    rows = [
        {"id": record_id, "text__c": text}
        for text in ("too long a text", "second", "third")
    ]
    answer = await user.put(ITEMS, json=rows)
    assert outcomes(answer) == [INVALID, "SUCCESS", INVALID]
    assert (await record(user, "item__c", record_id))["text__c"] == "second"


async def test_update_by_a_unique_field_that_the_vault_sets(user: Api) -> None:
    (record_id,) = await items(user, 1)
    global_id = (await record(user, "item__c", record_id))["global_id__sys"]
    answer = await user.put(
        f"{ITEMS}?idParam=global_id__sys",
        json=[{"global_id__sys": global_id, "text__c": "x"}],
    )
    assert answer.ids == [record_id]


async def test_records_are_found_by_their_whole_global_ids(user: Api) -> None:
    owned = await owner(user)
    first, second = await items(user, 2, owner__c=owned)
    own = (await record(user, "owner__c", owned))["global_id__sys"]
    vault_id, _, _ = own.partition("_")
    (linked,) = (
        await user.post(
            ITEMS,
            json=[
                {"name__v": "item", "key__c": key(), "owner__cr.global_id__sys": own}
            ],
        )
    ).ids
    whole = f"{vault_id}_{first}"
    # Of another Vault, of nobody, and parts of one.
    wrong = (
        f"1{whole}",
        f"{vault_id}_V0X",
        first,
        f"_{first}",
        vault_id,
        f"{whole}_",
        "",
    )
    found: dict[str, list[str]] = {
        f"global_id__sys = '{whole}'": [first],
        f"global_id__sys CONTAINS ('{whole}', '{vault_id}_{second}', '{wrong[0]}')": [
            first,
            second,
        ],
        f"owner__cr.global_id__sys = '{own}'": [first, second, linked],
        f"owner__cr.global_id__sys CONTAINS ('{own}', '{wrong[1]}')": [
            first,
            second,
            linked,
        ],
        f"id CONTAINS ('{first}', '{second}') AND global_id__sys != '{whole}'": [
            second
        ],
        **{f"global_id__sys = '{each}'": [] for each in wrong},
        f"global_id__sys CONTAINS ({', '.join(map(repr, wrong))})": [],
    }
    for condition, ids in found.items():
        answer = await user.query(
            f"SELECT id FROM item__c WHERE {condition} ORDER BY id"
        )
        assert [row["id"] for row in answer.data] == sorted(ids), condition
    named = list(filter(None, wrong))
    rows = [{"global_id__sys": each, "text__c": "x"} for each in named]
    answer = await user.put(f"{ITEMS}?idParam=global_id__sys", json=rows)
    assert outcomes(answer) == [INVALID] * len(named)


@pytest.mark.parametrize(
    "field", ["id", "global_id__sys", "fixed__c", "text__c", "owner__c", "nothing__c"]
)
async def test_an_upsert_is_keyed_by_a_unique_field_that_callers_set(
    user: Api, field: str
) -> None:
    answer = await user.post(
        f"{ITEMS}?idParam={field}", json=[{field: key(), "name__v": "item"}]
    )
    assert (answer.status, answer.error) == ("FAILURE", INVALID)


async def test_an_upsert_by_a_managed_name_makes_no_records(user: Api) -> None:
    answer = await user.post(
        "/vobjects/note__c?idParam=name__v", json=[{"name__v": "000001"}]
    )
    assert (answer.status, answer.error) == ("FAILURE", INVALID)


async def test_an_unchanged_upsert_is_an_update(user: Api) -> None:
    row = {"name__v": "item", "key__c": key()}
    path = f"{ITEMS}?idParam=key__c"
    first = await user.post(path, json=[row])
    stored = await record(user, "item__c", first.ids[0])
    second = await user.post(path, json=[row])
    assert second.data[0]["data"]["event"] == "updated__sys"
    assert (await record(user, "item__c", first.ids[0]))["modified_date__v"] == stored[
        "modified_date__v"
    ]


async def test_five_hundred_rows_with_duplicates(user: Api) -> None:
    names = [key() for _ in range(250)]
    rows = [{"name__v": "item", "key__c": names[n % 250]} for n in range(500)]
    assert (
        outcomes(await user.post(ITEMS, json=rows)) == ["SUCCESS"] * 250 + [TAKEN] * 250
    )
    assert (await user.post(f"{ITEMS}?idParam=key__c", json=rows)).error == INVALID


async def test_a_record_that_others_hold_is_not_deleted(admin: Api) -> None:
    held, free, alone = await owner(admin), await owner(admin), await owner(admin)
    await items(admin, 1, owner__c=held)
    await admin.put(OWNERS, json=[{"id": alone, "mentor__c": alone}])
    answer = await admin.delete(
        OWNERS, json=[{"id": i} for i in (held, free, alone, free, "ZOW0")]
    )
    assert outcomes(answer) == [TAKEN, "SUCCESS", "SUCCESS", INVALID, INVALID]
    assert "item__c.owner__c" in answer.data[0]["errors"][0]["message"]


async def test_deletion_reaches_children_and_stops_where_one_is_blocked(
    admin: Api,
) -> None:
    held, free = await owner(admin), await owner(admin)
    parts = await admin.post(
        "/vobjects/part__c",
        json=[{"name__v": "p", "owner__c": o} for o in (held, free)],
    )
    notes = await admin.post(
        "/vobjects/note__c", json=[{"part__c": parts.ids[0]}, {"owner__c": free}]
    )
    answer = await admin.delete(OWNERS, json=[{"id": held}, {"id": free}])
    assert outcomes(answer) == [TAKEN, "SUCCESS"]
    assert "note__c.part__c" in answer.data[0]["errors"][0]["message"]
    assert (await admin.get(f"/vobjects/part__c/{parts.ids[1]}")).error == INVALID
    assert (await record(admin, "note__c", notes.ids[1]))["owner__c"] is None


async def test_users_are_not_deleted(admin: Api) -> None:
    users = await admin.query("SELECT id FROM user__sys")
    answer = await admin.delete(
        "/vobjects/user__sys", json=[{"id": users.data[0]["id"]}]
    )
    assert outcomes(answer) == ["OPERATION_NOT_ALLOWED"]


async def test_managed_names_follow_each_other(user: Api) -> None:
    answer = await user.post("/vobjects/note__c", json=[{}, {"name__v": "mine"}, {}])
    assert outcomes(answer) == ["SUCCESS", INVALID, "SUCCESS"]
    first, last = [
        (await record(user, "note__c", answer.data[n]["data"]["id"]))["name__v"]
        for n in (0, 2)
    ]
    assert int(last) == int(first) + 1


@pytest.mark.parametrize(
    "record_id", ["x" * 30, "a%00b", "%FF", "..%2f", "' OR 1=1 --"]
)
async def test_ids_that_no_record_has(user: Api, record_id: str) -> None:
    for path in (f"{ITEMS}/{record_id}", f"{ITEMS}/{record_id}/actions"):
        answer = await user.get(path)
        assert (answer.http_status, answer.status) == (200, "FAILURE")
    assert (
        await user.put(f"{ITEMS}/{record_id}", json={"text__c": "x"})
    ).status == "FAILURE"


async def test_pages_stay_in_place_while_records_come_and_go(admin: Api) -> None:
    tag = key()
    ids = sorted(await items(admin, 10, text__c=tag))
    first = await admin.query(
        f"SELECT id FROM item__c WHERE text__c = '{tag}' PAGESIZE 4"
    )
    await admin.delete(ITEMS, json=[{"id": ids[1]}, {"id": ids[5]}])
    later = await items(admin, 1, text__c=tag)
    second = await admin.get(first.body["responseDetails"]["next_page"])
    third = await admin.post(second.body["responseDetails"]["next_page"])
    seen = [row["id"] for page in (first, second, third) for row in page.data]
    assert seen == [i for i in ids if i != ids[5]] + later


async def test_a_raw_object_creates_all_rows_of_a_call_or_none(admin: Api) -> None:
    mdl = """RECREATE Object raw_thing__c ( label('Raw'), prefix('ZRW'), data_store('raw'), audit(false),
        help_content('Raw things'), Field key__c ( type('String'), label('Key'), unique(true), max_length(40) ) );"""
    assert (await admin.post("/api/mdl/execute", data=mdl)).status == "SUCCESS"
    path = "/vobjects/raw_thing__c"
    first = [{"name__v": "first", "key__c": "a"}, {"name__v": "short"}]
    assert outcomes(await admin.post(path, json=first)) == ["SUCCESS", "SUCCESS"]
    rows = [
        {"name__v": "new", "key__c": "b"},
        {"name__v": "taken", "key__c": "a"},
        {"key__c": "c"},
    ]
    assert outcomes(await admin.post(path, json=rows)) == [TAKEN, TAKEN, REQUIRED]
    assert outcomes(await admin.post(path, json=[rows[0], rows[2]])) == [
        "SUCCESS",
        REQUIRED,
    ]
    assert len((await admin.query("SELECT id FROM raw_thing__c")).data) == 3
    told = (await admin.get("/metadata/vobjects/raw_thing__c")).body["object"]
    assert (told["data_store"], told["auditable"], told["help_content"]) == (
        "raw",
        False,
        "Raw things",
    )
