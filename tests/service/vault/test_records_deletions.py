"""The list of deleted records."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from shared.vault.assembly.vault import Vault
from tests.service.vault.objects import key, owner
from tests.service.vault.served import Api

LIST = "/objects/deletions/vobjects"


async def total(api: Api, object_name: str) -> int:
    return int(
        (await api.get(f"{LIST}/{object_name}?limit=1")).body["responseDetails"][
            "total"
        ]
    )


async def test_deleted_records_are_listed_with_those_that_went_with_them(
    admin: Api,
) -> None:
    one, two = await owner(admin), await owner(admin)
    part = (
        await admin.post(
            "/vobjects/part__c", json=[{"name__v": key(), "owner__c": one}]
        )
    ).ids[0]
    kept = await owner(admin)
    await admin.post("/vobjects/owner__c", json=[{"name__v": key(), "mentor__c": kept}])
    before, parts = await total(admin, "owner__c"), await total(admin, "part__c")
    await admin.delete(
        "/vobjects/owner__c", json=[{"id": one}, {"id": kept}, {"id": two}]
    )
    answer = await admin.get(f"{LIST}/owner__c?offset={before}")
    assert {row["id"] for row in answer.data} == {one, two}
    assert answer.body["responseDetails"]["total"] == before + 2
    moment = datetime.fromisoformat(answer.data[0]["date_deleted"])
    assert abs(datetime.now(UTC) - moment) < timedelta(hours=1)
    assert [
        row["id"] for row in (await admin.get(f"{LIST}/part__c?offset={parts}")).data
    ] == [part]


async def test_pages_and_dates(admin: Api) -> None:
    made = [await owner(admin) for _ in range(3)]
    start = await total(admin, "owner__c")
    await admin.delete("/vobjects/owner__c", json=[{"id": each} for each in made])
    page = await admin.get(f"{LIST}/owner__c?limit=2&offset={start}")
    assert page.body["responseDetails"]["size"] == 2
    rest = await admin.get(page.body["responseDetails"]["next_page"])
    assert {row["id"] for row in (*page.data, *rest.data)} == set(made)
    assert "next_page" not in rest.body["responseDetails"]
    for query in ("start_date=2999-01-01T00:00:00Z", "end_date=2001-01-01"):
        assert (await admin.get(f"{LIST}/owner__c?{query}")).data == []
    assert (await admin.get(f"{LIST}/owner__c?start_date=soon")).error == "INVALID_DATA"
    assert (await admin.get(f"{LIST}/nothing__c")).error == "INVALID_DATA"


async def test_pages_have_the_documented_sizes(admin: Api) -> None:
    # Vault API reference, Retrieve Deleted Object Record IDs: any value between 0 and 5000, 1000 by default.
    for path in (
        f"{LIST}/owner__c",
        f"{LIST}/owner__c/attachments",
        "/objects/deletions/documents",
        "/objects/deletions/documents/attachments",
    ):
        default = await admin.get(path)
        assert default.body["responseDetails"]["limit"] == 1000, path
        whole = await admin.get(f"{path}?limit=5000")
        assert whole.body["responseDetails"]["limit"] == 5000, path
        counted = await admin.get(f"{path}?limit=0")
        details = counted.body["responseDetails"]
        assert (counted.data, details["size"]) == ([], 0), path
        assert details["total"] == whole.body["responseDetails"]["total"]
        # A page of no entries is followed by none: a client that goes on would never end.
        assert "next_page" not in details
        for outside in ("limit=-1", "limit=5001", "limit=many", "offset=-1"):
            assert (await admin.get(f"{path}?{outside}")).error == "INVALID_DATA"


async def test_what_is_old_is_purged(vault: Vault, admin: Api) -> None:
    columns = "object, record_id, date_deleted"
    old = f"INSERT INTO platform.deletion ({columns}) VALUES ('owner__c', 'OLD', now() - $1::interval)"
    async with vault.database.connection() as connection:
        await connection.execute(old, timedelta(days=31))
    before = await total(admin, "owner__c")
    assert await vault.deletions.purge() >= 1
    assert await total(admin, "owner__c") == before


async def modified(admin: Api, object_name: str, record: str) -> str:
    answer = await admin.get(f"/vobjects/{object_name}/{record}")
    return str(answer.body["data"]["modified_date__v"])


LEFT = [
    ("its child is deleted", "owner__c", "DELETE", "part__c", {}),
    ("its child is moved", "owner__c", "PUT", "part__c", {"owner__c": "elsewhere"}),
    ("its reference is emptied", "note__c", "DELETE", "owner__c", {}),
]


@pytest.mark.parametrize(
    ("object_name", "method", "changed", "values"),
    [row[1:] for row in LEFT],
    ids=[row[0] for row in LEFT],
)
async def test_what_others_leave_has_changed(
    admin: Api, object_name: str, method: str, changed: str, values: dict[str, str]
) -> None:
    """The deletion of a related record is a change of the record that is read with it, which a run finds by date."""
    records = {name: await owner(admin) for name in ("owner__c", "elsewhere")}
    for name, row in (
        ("part__c", {"owner__c": records["owner__c"], "name__v": key()}),
        ("note__c", {"owner__c": records["owner__c"]}),
        ("other__c", {"owner__c": records["elsewhere"]}),
    ):
        of = "note__c" if name == "other__c" else name
        (records[name],) = (await admin.post(f"/vobjects/{of}", json=[row])).ids
    if changed == "owner__c":
        # Its part would go with it, and has nobody to leave.
        await admin.delete("/vobjects/part__c", json=[{"id": records["part__c"]}])
    before = await modified(admin, object_name, records[object_name])
    untouched = await modified(admin, "note__c", records["other__c"])
    row = {"id": records[changed]} | {n: records[v] for n, v in values.items()}
    write = admin.delete if method == "DELETE" else admin.put
    answer = await write(f"/vobjects/{changed}", json=[row])
    assert answer.data[0]["responseStatus"] == "SUCCESS", answer.text
    assert await modified(admin, object_name, records[object_name]) > before
    assert await modified(admin, "note__c", records["other__c"]) == untouched


async def test_a_parent_that_keeps_its_child_has_not_changed(admin: Api) -> None:
    of = await owner(admin)
    part = {"name__v": key(), "owner__c": of}
    (child,) = (await admin.post("/vobjects/part__c", json=[part])).ids
    before = await modified(admin, "owner__c", of)
    row = {"id": child, "name__v": key(), "owner__c": of}
    assert (await admin.put("/vobjects/part__c", json=[row])).data[0]["data"]
    assert await modified(admin, "owner__c", of) == before
