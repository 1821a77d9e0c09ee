"""Cascade delete, deep copy and merge: jobs on records, and copies made by a create."""

from __future__ import annotations

import csv
import io
import zipfile
from typing import Any

import pytest

from local.polling import answers_within
from tests.service.vault.objects import (
    ITEMS,
    OWNERS,
    items,
    key,
    outcomes,
    owner,
    record,
)
from tests.service.vault.served import Answer, Api

PARTS = "/vobjects/part__c"
NOTES = "/vobjects/note__c"


async def ended(api: Api, job_id: int) -> str:
    """The status of the job once it has ended."""

    async def reason() -> str | None:
        status = (await api.get(f"/services/jobs/{job_id}")).data["status"]
        return status if status in ("SCHEDULED", "QUEUED", "RUNNING") else None

    assert await answers_within(60, reason) is None
    return str((await api.get(f"/services/jobs/{job_id}")).data["status"])


async def job(api: Api, path: str, **options: Any) -> tuple[int, str]:
    answer = await api.post(path, **options)
    assert answer.status == "SUCCESS", answer.text
    job_id = answer.body["job_id"]
    assert answer.body["url"] == f"/api/v25.1/services/jobs/{job_id}"
    return job_id, await ended(api, job_id)


def sheet(answer: Answer) -> list[list[str]]:
    return list(csv.reader(io.StringIO(answer.text)))


async def with_parts(api: Api, number: int, **values: Any) -> tuple[str, list[str]]:
    one = await owner(api, **values)
    rows = [{"name__v": f"part {n}", "owner__c": one} for n in range(number)]
    return one, (await api.post(PARTS, json=rows)).ids


async def below(api: Api, one: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (
        await api.query(f"SELECT id, name__v FROM part__c WHERE owner__c = '{one}'")
    ).data
    return found


async def test_corporate_currency(admin: Api, user: Api) -> None:
    answer = await user.put(f"{ITEMS}/actions/updatecorporatecurrency")
    job_id = answer.body["job_id"]
    assert answer.body == {
        "responseStatus": "SUCCESS",
        "url": f"/api/v25.1/services/jobs/{job_id}",
        "job_id": job_id,
    }
    assert await ended(user, job_id) == "SUCCESS"
    unknown = await admin.put("/vobjects/nothing__c/actions/updatecorporatecurrency")
    assert unknown.error == "INVALID_DATA"


async def test_cascade_delete(admin: Api) -> None:
    one, made = await with_parts(admin, 3)
    job_id, status = await job(admin, f"{OWNERS}/{one}/actions/cascadedelete")
    assert status == "SUCCESS"
    answer = await admin.get(
        f"/vobjects/cascadedelete/results/owner__c/success/{job_id}"
    )
    header, *lines = sheet(answer)
    assert header == ["Source Object", "Record Id"]
    assert sorted(lines) == sorted(
        [["owner__c", one], *(["part__c", part] for part in made)]
    )
    failures = await admin.get(
        f"/vobjects/cascadedelete/results/owner__c/failure/{job_id}"
    )
    assert sheet(failures) == [[*header, "errors"]]
    assert (await admin.get(f"{OWNERS}/{one}")).status == "FAILURE"
    for wrong in ("item__c/success", "owner__c/other"):
        assert (
            await admin.get(f"/vobjects/cascadedelete/results/{wrong}/{job_id}")
        ).error == "INVALID_DATA"
    assert (
        await admin.get(f"/vobjects/deepcopy/results/owner__c/success/{job_id}")
    ).error == "INVALID_DATA"


async def test_cascade_delete_is_all_or_nothing(admin: Api) -> None:
    one, (part, _) = await with_parts(admin, 2)
    note = (await admin.post(NOTES, json=[{"part__c": part}])).ids[0]
    job_id, status = await job(admin, f"{OWNERS}/{one}/actions/cascadedelete")
    assert status == "ERRORS_ENCOUNTERED"
    failures = sheet(
        await admin.get(f"/vobjects/cascadedelete/results/owner__c/failure/{job_id}")
    )
    ((name, refused, reason),) = failures[1:]
    assert (name, refused) == ("part__c", part)
    assert reason.startswith("OPERATION_NOT_ALLOWED|")
    assert "note__c" in reason
    assert len(await below(admin, one)) == 2
    assert (await admin.get(f"/services/jobs/{job_id}")).data["errors"][0][
        "type"
    ] == "OPERATION_NOT_ALLOWED"
    await admin.delete(NOTES, json=[{"id": note}])


async def test_cascade_delete_needs_permission_and_a_record(
    user: Api, admin: Api
) -> None:
    one = await owner(user)
    assert (
        await user.post(f"{OWNERS}/{one}/actions/cascadedelete")
    ).error == "INSUFFICIENT_ACCESS"
    assert (
        await admin.post(f"{OWNERS}/ZOW0/actions/cascadedelete")
    ).error == "INVALID_DATA"


async def test_deep_copy(user: Api) -> None:
    one, _ = await with_parts(user, 2, rank__c=990001)
    over = [{"name__v": "the copy", "key__c": key()}]
    job_id, status = await job(user, f"{OWNERS}/{one}/actions/deepcopy", json=over)
    assert status == "SUCCESS"
    header, *lines = sheet(
        await user.get(f"/vobjects/deepcopy/results/owner__c/success/{job_id}")
    )
    assert header == ["line number", "vobject", "sourceRecordId", "errors"]
    assert lines[0] == ["1", "owner__c", one, ""] and len(lines) == 3
    found = await user.query(
        f"SELECT id FROM owner__c WHERE key__c = '{over[0]['key__c']}'"
    )
    copy = await record(user, "owner__c", found.data[0]["id"])
    assert (copy["name__v"], copy["rank__c"]) == ("the copy", None)
    assert {each["name__v"] for each in await below(user, copy["id"])} == {
        "part 0",
        "part 1",
    }
    assert len(await below(user, one)) == 2


async def test_deep_copy_refused(user: Api) -> None:
    taken = key()
    one = await owner(user, key__c=taken)
    assert (
        await user.post(f"{OWNERS}/{one}/actions/deepcopy", json=[{"nothing__c": 1}])
    ).status == "FAILURE"
    assert (
        await user.post(f"{OWNERS}/{one}/actions/deepcopy", json=[{}, {}])
    ).error == "INVALID_DATA"
    job_id, status = await job(
        user, f"{OWNERS}/{one}/actions/deepcopy", json=[{"key__c": taken}]
    )
    assert status == "ERRORS_ENCOUNTERED"
    failures = sheet(
        await user.get(f"/vobjects/deepcopy/results/owner__c/failure/{job_id}")
    )
    assert failures[1][:3] == ["1", "owner__c", one]
    assert failures[1][3].startswith("OPERATION_NOT_ALLOWED|")


async def test_merge(admin: Api) -> None:
    duplicate, parts = await with_parts(admin, 2)
    main = await owner(admin)
    (item,) = await items(admin, 1, owner__c=duplicate)
    rows = [
        {"duplicate_record_id": duplicate, "main_record_id": main},
        {"duplicate_record_id": "ZOW0", "main_record_id": main},
    ]
    job_id = (await admin.post(f"{OWNERS}/actions/merge", json=rows)).data["job_id"]
    await ended(admin, job_id)
    assert (await admin.get(f"/vobjects/merges/{job_id}/status")).data == {
        "status": "FAILURE"
    }
    first, second = (await admin.get(f"/vobjects/merges/{job_id}/results")).data[
        "merge_sets"
    ]
    assert first == {**rows[0], "status": "SUCCESS"}
    assert (second["status"], second["error"]["type"]) == ("FAILURE", "INVALID_DATA")
    assert {each["id"] for each in await below(admin, main)} == set(parts)
    assert (await record(admin, "item__c", item))["owner__c"] == main
    assert (await admin.get(f"{OWNERS}/{duplicate}")).status == "FAILURE"
    headers = {"Authorization": admin.session_id or ""}
    async with admin.http.get(
        f"{admin.url}/api/v25.1/vobjects/merges/{job_id}/log", headers=headers
    ) as response:
        (name,) = (
            archive := zipfile.ZipFile(io.BytesIO(await response.read()))
        ).namelist()
        assert archive.read(name).count(b"\r\n") == 3


@pytest.mark.parametrize(
    "rows",
    [
        [{"duplicate_record_id": "A"}],
        [{"duplicate_record_id": "A", "main_record_id": "A"}],
        [
            {"duplicate_record_id": "A", "main_record_id": "B"},
            {"duplicate_record_id": "A", "main_record_id": "C"},
        ],
        [{"duplicate_record_id": str(n), "main_record_id": "B"} for n in range(11)],
    ],
)
async def test_merges_that_are_refused(admin: Api, rows: list[dict[str, str]]) -> None:
    assert (await admin.post(f"{OWNERS}/actions/merge", json=rows)).status == "FAILURE"


async def test_create_from_a_source(user: Api) -> None:
    boss = await owner(user)
    (one,) = await items(
        user,
        1,
        text__c="copied",
        number__c=7,
        sizes__c=["small__c", "huge__c"],
        owner__c=boss,
    )
    rows = [
        {"source_record_id": one, "key__c": key(), "number__c": 8},
        {"source_record_id": "ZIT0", "name__v": "x"},
        {"source_record_id": "", "name__v": "plain"},
    ]
    answer = await user.post(ITEMS, json=rows)
    assert outcomes(answer) == ["SUCCESS", "INVALID_DATA", "SUCCESS"]
    copy = await record(user, "item__c", answer.data[0]["data"]["id"])
    assert (copy["name__v"], copy["text__c"], copy["number__c"], copy["owner__c"]) == (
        "item",
        "copied",
        8,
        boss,
    )
    assert copy["sizes__c"] == ["small__c", "huge__c"] and copy["state__v"] == [
        "first__c"
    ]
