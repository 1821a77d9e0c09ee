"""The status of records: new ones are active, and those of parent objects change one record a call."""

from __future__ import annotations

import json
from itertools import count

import pytest

from tests.service.vault.attaching import staged
from tests.service.vault.jobbing import finished
from tests.service.vault.objects import outcomes, record
from tests.service.vault.served import Api

MDL = """
RECREATE Object trunk__c ( label('Trunk'), prefix('ZTK'),
  Field key__c ( type('String'), label('Key'), unique(true), max_length(40) ) );
RECREATE Object twig__c ( label('Twig'), prefix('ZTW'),
  Field trunk__c ( type('Object'), label('Trunk'), object('Object.trunk__c'), relationship_type('parent') ) );
"""
TRUNKS, TWIGS = "/vobjects/trunk__c", "/vobjects/twig__c"
MIGRATION = {"X-VaultAPI-MigrationMode": "true"}
OFF = {"status__v": "inactive__v"}
REFUSED, DONE = "OPERATION_NOT_ALLOWED", "SUCCESS"

numbers = count(1)


@pytest.fixture(scope="module", autouse=True)
async def parents_and_children(admin: Api) -> None:
    answer = await admin.post("/api/mdl/execute", data=MDL)
    assert answer.status == "SUCCESS", answer.text


def key() -> str:
    return f"T-{next(numbers)}"


async def trunks(api: Api, number: int) -> list[str]:
    rows = [{"name__v": "trunk", "key__c": key()} for _ in range(number)]
    return (await api.post(TRUNKS, json=rows)).ids


async def status(api: Api, record_id: str) -> object:
    return (await record(api, "trunk__c", record_id))["status__v"]


async def test_records_are_created_inactive_in_migration_mode_only(admin: Api) -> None:
    rows = [
        {"name__v": "a", **OFF},
        {"name__v": "b", "status__v": "active__v"},
        {"name__v": "c", "status__v": ""},
    ]
    assert outcomes(await admin.post(TWIGS, json=rows)) == [REFUSED, DONE, DONE]
    assert outcomes(await admin.post(TWIGS, json=rows, headers=MIGRATION)) == [DONE] * 3
    upsert = f"{TRUNKS}?idParam=key__c"
    row = {"name__v": "a", "key__c": key(), **OFF}
    assert outcomes(await admin.post(upsert, json=[row])) == [REFUSED]
    assert outcomes(
        await admin.post(upsert, json=[row | {"status__v": "active__v"}])
    ) == [DONE]
    assert outcomes(await admin.post(upsert, json=[row])) == [DONE]
    assert outcomes(
        await admin.post(upsert, json=[{**row, "key__c": key()}], headers=MIGRATION)
    ) == [DONE]


async def test_the_status_of_parents_is_not_changed_in_bulk(admin: Api) -> None:
    one, two = await trunks(admin, 2)
    rows = [
        {"id": one, **OFF},
        {"id": two, "name__v": "renamed", "status__v": "active__v"},
    ]
    assert outcomes(await admin.put(TRUNKS, json=rows)) == [REFUSED, DONE]
    csv = f"id,status__v\n{one},inactive__v\n{two},inactive__v\n"
    answer = await admin.put(TRUNKS, data=csv, headers={"Content-Type": "text/csv"})
    assert outcomes(answer) == [REFUSED, REFUSED]
    assert await status(admin, one) == ["active__v"]
    assert outcomes(await admin.put(TRUNKS, json=[{"id": one, **OFF}])) == [DONE]
    assert (await admin.put(f"{TRUNKS}/{two}", data=OFF)).status == "SUCCESS"
    back = [{"id": each, "status__v": "active__v"} for each in (one, two)]
    assert outcomes(await admin.put(TRUNKS, json=back, headers=MIGRATION)) == [
        DONE,
        DONE,
    ]
    # Children have a status of their own.
    ids = (await admin.post(TWIGS, json=[{"name__v": "twig", "trunk__c": one}] * 2)).ids
    assert outcomes(
        await admin.put(TWIGS, json=[{"id": each, **OFF} for each in ids])
    ) == [DONE, DONE]


async def test_an_upsert_and_a_load_are_bulk_as_well(admin: Api) -> None:
    keys = [key(), key()]
    rows = [{"name__v": "trunk", "key__c": each} for each in keys]
    ids = (await admin.post(TRUNKS, json=rows)).ids
    off = [row | OFF for row in rows]
    assert outcomes(await admin.post(f"{TRUNKS}?idParam=key__c", json=off)) == [
        REFUSED,
        REFUSED,
    ]
    sheet = "".join(f"{each},inactive__v\n" for each in ids)
    file = await staged(admin, "/status/rows.csv", f"id,status__v\n{sheet}".encode())
    task = {
        "object_type": "vobjects__v",
        "object": "trunk__c",
        "action": "update",
        "file": file,
    }
    await finished(
        admin, (await admin.post("/services/loader/load", json=[task])).body["job_id"]
    )
    assert await status(admin, ids[0]) == ["active__v"]
    await finished(
        admin,
        (
            await admin.post(
                "/services/loader/load", json=[task | {"recordmigrationmode": True}]
            )
        ).body["job_id"],
    )
    assert await status(admin, ids[0]) == ["inactive__v"]


async def test_what_a_transfer_writes_and_platform_objects_are_free_of_it(
    admin: Api,
) -> None:
    ids = await trunks(admin, 2)
    origin = {
        "source_vault_id": 7,
        "integration": "i__c",
        "integration_point": "p__c",
        "time": "2026-01-31T10:32:11Z",
    }
    headers = {
        "X-VaultAPI-Lineage": json.dumps(
            {**origin, "origins": [{"object": "account__v", "rule": "r__c"}]}
        )
    }
    rows = [{"id": each, **OFF, "lineage__sys": [0, "message", None]} for each in ids]
    assert outcomes(await admin.put(TRUNKS, json=rows, headers=headers)) == [DONE, DONE]
    connection = {
        "api_name__sys": f"status{next(numbers)}__c",
        "name__v": "Status",
        "remote_vault_id__sys": "10999",
    }
    made = await admin.post("/vobjects/connection__sys", json=[connection])
    integration = {
        "integration_api_name__sys": f"status{next(numbers)}__c",
        "name__v": "Status",
    }
    rows = [{**integration, "connection__sys": made.ids[0], **OFF}]
    assert outcomes(await admin.post("/vobjects/integration__sys", json=rows)) == [DONE]
