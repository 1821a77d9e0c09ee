"""Values of every type of field: which are accepted, how they read back, and which error refuses the others."""

from __future__ import annotations

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


@pytest.mark.parametrize(
    ("field", "value", "read_back"),
    [
        ("number__c", 9223372036854775807, 9223372036854775807),
        ("number__c", " 12 ", 12),
        ("number__c", "1e3", 1000),
        ("number__c", "0e-99", 0),
        ("ratio__c", "0E+99", 0),
        ("ratio__c", "1.50", 1.5),
        ("ratio__c", -0.25, -0.25),
        ("yes__c", "TRUE", True),
        ("yes__c", False, False),
        ("day__c", "0001-01-01", "0001-01-01"),
        ("day__c", "9999-12-31", "9999-12-31"),
        ("moment__c", "2025-01-31T10:00:00.123987Z", "2025-01-31T10:00:00.123Z"),
        ("moment__c", "2025-01-31T10:00", "2025-01-31T10:00:00.000Z"),
        ("moment__c", "2025-01-31T10:00:00+02:00", "2025-01-31T08:00:00.000Z"),
        ("moment__c", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"),
        ("moment__c", "9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999Z"),
        ("text__c", "e\u0301\U0001f600\u202e", "e\u0301\U0001f600\u202e"),
        ("text__c", 12.5, "12.5"),
        ("text__c", "", None),
        ("size__c", ["small__c"], ["small__c"]),
        ("sizes__c", "small__c, large__c", ["small__c", "large__c"]),
        ("sizes__c", ["small__c", "small__c"], ["small__c"]),
        ("sizes__c", [], None),
    ],
)
async def test_a_value_reads_back(
    user: Api, field: str, value: object, read_back: object
) -> None:
    (record_id,) = await items(user, 1, **{field: value})
    assert (await record(user, "item__c", record_id))[field] == read_back
    again = await user.put(ITEMS, json=[{"id": record_id, field: value}])
    assert outcomes(again) == ["WARNING"]


@pytest.mark.parametrize(
    ("field", "values"),
    [
        (
            "number__c",
            [
                True,
                "NaN",
                "Infinity",
                "sNaN",
                1e300,
                1.5,
                2**63,
                "1_000",
                "\uff11",
                "1" * 5000,
                [1],
                "0x1",
            ],
        ),
        ("number__c", [-(2**62)]),
        ("ratio__c", ["1.234", "1e-9", "1e999999999"]),
        ("yes__c", [1, 0, "yes", "1", ["true"]]),
        (
            "day__c",
            [
                "2025-02-30",
                "20250131",
                "2025-W05-5",
                "0000-01-01",
                "10000-01-01",
                20250131,
                True,
            ],
        ),
        (
            "moment__c",
            ["2025-01-31", "2025-01-31 10:00:00Z", "2025-01-31T25:00:00Z", "x", 5],
        ),
        ("moment__c", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"]),
        ("text__c", ["x" * 11, "a\x00b", True, ["x"]]),
        ("size__c", ["medium__c", ["small__c", "large__c"], 1, "Small"]),
        (
            "sizes__c",
            ["small__c,", ["small__c", None], ["medium__c"], "small__c;large__c"],
        ),
        ("owner__c", ["nobody", "x" * 1000, "a\x00", 1]),
    ],
)
async def test_what_a_field_does_not_take(
    user: Api, field: str, values: list[object]
) -> None:
    answer = await user.post(
        ITEMS, json=[{"name__v": "item", field: value} for value in values]
    )
    assert outcomes(answer) == ["INVALID_DATA"] * len(values)
    message = answer.data[0]["errors"][0]["message"]
    assert field in message
    assert "5000" not in message


async def test_a_number_keeps_all_its_digits(admin: Api) -> None:
    script = """RECREATE Object exact__c ( label('Exact'), prefix('ZEX'),
        Field amount__c ( type('Number'), label('Amount'), scale(10) ),
        Field whole__c ( type('Object'), label('Whole'), object('Object.exact__c'),
            relationship_inbound_name('parts__cr') ) );"""
    assert (await admin.post("/api/mdl/execute", data=script)).status == "SUCCESS"
    digits, padded = "1234567890123456789.0123456789", "0.1000000000"
    headers = {"Content-Type": "application/json"}
    sent = f'[{{"name__v": "a", "amount__c": {digits}}}, {{"name__v": "b", "amount__c": "0.1"}}, {{"name__v": "c"}}]'
    ids = (await admin.post("/vobjects/exact__c", data=sent, headers=headers)).ids
    for record_id, number in zip(ids, (digits, padded, "null"), strict=True):
        assert (
            f'"amount__c":{number}'
            in (await admin.get(f"/vobjects/exact__c/{record_id}")).text
        )
    await admin.put("/vobjects/exact__c", json=[{"id": ids[0], "whole__c": ids[2]}])
    found = await admin.query(
        f"SELECT name__v, amount__c FROM exact__c WHERE amount__c = {digits}"
    )
    assert f'"amount__c":{digits}' in found.text
    below = await admin.query(
        "SELECT id, (SELECT amount__c FROM parts__cr) FROM exact__c WHERE name__v = 'c'"
    )
    assert f'"amount__c":{digits}' in below.text.replace(" ", "")
    again = f'[{{"id": "{ids[0]}", "amount__c": {digits}}}]'
    assert outcomes(
        await admin.put("/vobjects/exact__c", data=again, headers=headers)
    ) == ["WARNING"]


@pytest.mark.parametrize(
    "body",
    [b'[{"name__v":"\xed\xa0\x80"}]', b'[{"name__v":NaN}]'],
)
async def test_text_that_is_not_unicode(user: Api, body: bytes) -> None:
    answer = await user.post(
        ITEMS, data=body, headers={"Content-Type": "application/json"}
    )
    assert (answer.http_status, answer.error) == (200, "INVALID_DATA")


async def test_a_value_that_another_one_would_replace_is_refused(user: Api) -> None:
    headers = {"Content-Type": "application/json"}
    first = b'{"name__v": "one", "key__c": "x", "name__v": "two"}'
    for body in (first, b"[" + first + b"]", b'[{"name__v":"three"},' + first + b"]"):
        answer = await user.post(ITEMS, data=body, headers=headers)
        assert answer.error == "INVALID_DATA"
        assert "[name__v] twice" in answer.message


async def test_a_date_on_the_edge_is_found_by_a_query(user: Api) -> None:
    (record_id,) = await items(
        user, 1, day__c="9999-12-31", moment__c="0001-01-01T00:00:00.000Z"
    )
    for condition in (
        "day__c = '9999-12-31'",
        "moment__c = '0001-01-01T00:00:00.000Z'",
    ):
        answer = await user.query(
            f"SELECT id FROM item__c WHERE {condition} AND id = '{record_id}'"
        )
        assert [row["id"] for row in answer.data] == [record_id]


async def test_a_moment_read_back_finds_its_record(user: Api) -> None:
    (record_id,) = await items(user, 1, moment__c="2025-01-31T10:00:00.999999Z")
    for field in ("moment__c", "created_date__v", "modified_date__v"):
        shown = (await record(user, "item__c", record_id))[field]
        answer = await user.query(
            f"SELECT id FROM item__c WHERE {field} = '{shown}' AND id = '{record_id}'"
        )
        assert len(answer.data) == 1, field


async def test_references_by_id_and_by_unique_fields(user: Api) -> None:
    name, rank = key(), int(key()[2:]) + 10**9
    wanted = await owner(user, key__c=name, rank__c=rank)
    rows: list[dict[str, Any]] = [
        {"owner__c": wanted},
        {"owner__cr.key__c": name},
        {"owner__cr.rank__c": str(rank)},
        {"owner__cr.id": wanted},
    ]
    answer = await user.post(ITEMS, json=[{"name__v": "item", **row} for row in rows])
    assert [(await record(user, "item__c", i))["owner__c"] for i in answer.ids] == [
        wanted
    ] * 4


async def test_references_that_lead_nowhere_or_are_given_twice(user: Api) -> None:
    name = key()
    wanted = await owner(user, key__c=name)
    rows: list[dict[str, Any]] = [
        {"owner__cr.key__c": "nobody"},
        {"owner__cr.rank__c": "x"},
        {"owner__c": wanted, "owner__cr.key__c": name},
        {"owner__cr.key__c": name, "owner__c": wanted},
        {"owner__cr.key__c": name, "owner__cr.rank__c": 1},
        {"owner__cr.name__v": "owner"},
        {"owner__cr": name},
        {"nothing__cr.key__c": name},
    ]
    answer = await user.post(ITEMS, json=[{"name__v": "item", **row} for row in rows])
    assert outcomes(answer) == ["INVALID_DATA"] * 6 + ["ATTRIBUTE_NOT_SUPPORTED"] * 2


async def test_a_reference_is_emptied_unless_it_is_required(user: Api) -> None:
    (record_id,) = await items(user, 1, owner__c=await owner(user))
    assert outcomes(
        await user.put(ITEMS, json=[{"id": record_id, "owner__cr.key__c": ""}])
    ) == ["SUCCESS"]
    assert (await record(user, "item__c", record_id))["owner__c"] is None
    parts = await user.post(
        "/vobjects/part__c", json=[{"name__v": "part", "owner__c": await owner(user)}]
    )
    for row in ({"owner__cr.key__c": ""}, {"owner__c": None}):
        answer = await user.put("/vobjects/part__c", json=[{"id": parts.ids[0], **row}])
        assert outcomes(answer) == ["PARAMETER_REQUIRED"]


async def test_nobody_finds_records_by_key_that_he_may_not_read(
    user: Api, admin: Api
) -> None:
    row = {"name__v": "item", "link__cr.api_name__sys": "medical_crm__v"}
    assert outcomes(await user.post(ITEMS, json=[row])) == ["INSUFFICIENT_ACCESS"]
    assert outcomes(await admin.post(ITEMS, json=[row])) == ["SUCCESS"]


async def test_nobody_learns_by_id_which_records_exist_that_he_may_not_read(
    user: Api, admin: Api
) -> None:
    stored = await admin.query("SELECT id FROM connection__sys MAXROWS 1")
    known = str(stored.data[0]["id"])
    unknown = known[:-3] + "ZZZ"
    for link in (known, unknown):
        new = {"name__v": "item", "link__c": link}
        for address in (ITEMS, f"{ITEMS}?idParam=key__c"):
            for number in (1, 2):
                rows = [{**new, "key__c": key()} for _ in range(number)]
                answer = await user.post(address, json=rows)
                assert outcomes(answer) == ["INSUFFICIENT_ACCESS"] * number
    new = {"name__v": "item", "key__c": key(), "link__c": known}
    (record_id,) = (await admin.post(ITEMS, json=[new])).ids
    for link in (known[:-3] + "ZZY", unknown):
        answer = await user.put(ITEMS, json=[{"id": record_id, "link__c": link}])
        assert outcomes(answer) == ["INSUFFICIENT_ACCESS"]
    # What is stored already may be sent again, and emptied.
    again = {"id": record_id, "link__c": known, "name__v": "renamed"}
    assert outcomes(await user.put(ITEMS, json=[again])) == ["SUCCESS"]
    empty = {"id": record_id, "link__c": None}
    assert outcomes(await user.put(ITEMS, json=[empty])) == ["SUCCESS"]


async def test_object_types_by_name_or_id_but_not_both(user: Api) -> None:
    kinds = "/vobjects/kind__c"
    name = "object_type__v.api_name__v"
    made = await user.post(
        kinds, json=[{"name__v": "k", name: "good__c"}, {"name__v": "k", name: ""}]
    )
    good, base = [
        (await record(user, "kind__c", i))["object_type__v"] for i in made.ids
    ]
    assert good != base
    rows = [
        {"object_type__v": good},
        {"object_type__v": good, name: "good__c"},
        {name: "bad__c"},
        {name: ["good__c"]},
    ]
    answer = await user.post(kinds, json=[{"name__v": "k", **row} for row in rows])
    assert outcomes(answer) == [
        "SUCCESS",
        "INVALID_DATA",
        "INVALID_DATA",
        "INVALID_DATA",
    ]
    changed = await user.put(
        kinds,
        json=[{"id": made.ids[0], name: "better__c"}, {"id": made.ids[1], name: ""}],
    )
    assert outcomes(changed) == ["OPERATION_NOT_ALLOWED", "WARNING"]


async def test_every_record_has_a_status(user: Api) -> None:
    (record_id,) = await items(user, 1, status__v="")
    assert outcomes(
        await user.put(ITEMS, json=[{"id": record_id, "status__v": None}])
    ) == ["WARNING"]
    assert (await record(user, "item__c", record_id))["status__v"] == ["active__v"]
    await user.put(ITEMS, json=[{"id": record_id, "status__v": "inactive__v"}])
    assert (await record(user, "item__c", record_id))["status__v"] == ["inactive__v"]


@pytest.mark.parametrize("field", ["retired__c", "nothing__c", "", ".", "x" * 300])
async def test_fields_that_are_not_there(user: Api, field: str) -> None:
    assert outcomes(await user.post(ITEMS, json=[{"name__v": "item", field: "x"}])) == [
        "ATTRIBUTE_NOT_SUPPORTED"
    ]


async def test_a_unique_number_names_its_record(user: Api) -> None:
    rank = int(key()[2:]) + 2 * 10**9
    path = f"{OWNERS}?idParam=rank__c"
    first = await user.post(path, json=[{"name__v": "a", "rank__c": rank}])
    second = await user.post(path, json=[{"name__v": "b", "rank__c": f"{rank}.0"}])
    assert first.ids == second.ids
    assert outcomes(
        await user.put(path, json=[{"rank__c": "x", "name__v": "c"}, {"rank__c": None}])
    ) == [
        "INVALID_DATA",
        "PARAMETER_REQUIRED",
    ]
