"""Audit dates and users of objects and fields in metadata; fields that are not copied."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service.vault.served import Api

MDL = """
RECREATE Object ledge__c ( label('Ledge'), prefix('ZLD'), order(12),
  Field width__c ( type('Number'), label('Width') ),
  Field note__c ( type('String'), label('Note'), max_length(40), no_copy(true), order(30) ) );
"""
METADATA = "/metadata/vobjects/ledge__c"
STAMPS = ("created_by", "created_date", "modified_by", "modified_date")


async def execute(api: Api, text: str) -> None:
    answer = await api.post("/api/mdl/execute", data=text)
    assert answer.status == "SUCCESS", answer.text


async def stamps(api: Api) -> dict[str, dict[str, Any]]:
    """The audit dates of the object (``""``) and of its fields."""
    document = (await api.get(METADATA)).body["object"]
    named = {"": document, **{field["name"]: field for field in document["fields"]}}
    return {
        name: {member: each[member] for member in STAMPS}
        for name, each in named.items()
    }


@pytest.fixture(autouse=True)
async def ledge(admin: Api) -> None:
    await execute(admin, MDL)


async def test_each_field_has_its_own_dates(admin: Api) -> None:
    first = await stamps(admin)
    me = (await admin.get("/objects/users/me")).body["users"][0]["user"]["id"]
    assert first[""]["created_by"] == first["width__c"]["modified_by"] == me
    assert (
        first["id"]["created_date"]
        == first["id"]["modified_date"]
        == first[""]["created_date"]
    )
    await execute(
        admin, "ALTER Object ledge__c ( MODIFY Field width__c ( label('Breadth') ) );"
    )
    second = await stamps(admin)
    assert second["note__c"] == first["note__c"]
    assert second["width__c"]["created_date"] == first["width__c"]["created_date"]
    assert second["width__c"]["modified_date"] > first["width__c"]["modified_date"]
    assert second[""]["modified_date"] == second["width__c"]["modified_date"]
    assert second[""]["created_date"] == first[""]["created_date"]


async def test_dates_follow_names(admin: Api) -> None:
    first = await stamps(admin)
    await execute(
        admin, "ALTER Object ledge__c ( RENAME Field width__c TO breadth__c );"
    )
    second = await stamps(admin)
    assert "width__c" not in second
    assert second["breadth__c"]["created_date"] == first["width__c"]["created_date"]
    assert second["breadth__c"]["modified_date"] > first["width__c"]["modified_date"]
    await execute(admin, "RENAME Object ledge__c TO ledger__c;")
    document = (await admin.get("/metadata/vobjects/ledger__c/fields/breadth__c")).body[
        "field"
    ]
    assert {name: document[name] for name in STAMPS} == second["breadth__c"]
    await execute(admin, "RENAME Object ledger__c TO ledge__c;")
    await execute(admin, "ALTER Object ledge__c ( DROP Field breadth__c );")
    await execute(
        admin,
        "ALTER Object ledge__c ( ADD Field breadth__c ( type('Number'), label('Breadth') ) );",
    )
    third = await stamps(admin)
    assert third["breadth__c"]["created_date"] > second["breadth__c"]["modified_date"]


async def test_the_order_is_that_of_the_mdl(admin: Api) -> None:
    listed = (await admin.get("/metadata/vobjects")).body["objects"]
    assert [each["order"] for each in listed if each["name"] == "ledge__c"] == [12]
    document = (await admin.get(METADATA)).body["object"]
    assert document["order"] == 12
    assert [f["order"] for f in document["fields"] if f["name"] == "note__c"] == [30]


async def test_a_copy_leaves_out_what_is_not_copied(admin: Api) -> None:
    path = "/vobjects/ledge__c"
    row = {"name__v": "ledge", "width__c": 3, "note__c": "mine"}
    (original,) = (await admin.post(path, json=[row])).ids
    (copy,) = (await admin.post(path, json=[{"source_record_id": original}])).ids
    stored = (await admin.get(f"{path}/{copy}")).data
    assert (stored["name__v"], stored["width__c"], stored["note__c"]) == (
        "ledge",
        3,
        None,
    )
    await admin.delete(path, json=[{"id": original}, {"id": copy}])
