"""Versions, renditions, types and states of many documents in one call."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service.vault import documenting
from tests.service.vault.documenting import (
    DOCUMENTS,
    created,
    document,
    download,
    form,
    run,
)
from tests.service.vault.served import Answer, Api
from tests.service.vault.test_loader_api import stage

types = documenting.types
RENDITION = "viewable_rendition__v"
UNKNOWN = 999999999


def statuses(answer: Answer) -> list[str]:
    return [row["responseStatus"] for row in answer.data]


def errors(answer: Answer) -> list[str]:
    return [row["errors"][0]["type"] for row in answer.data if "errors" in row]


async def test_versions_are_made_and_deleted(admin: Api) -> None:
    first, second = await created(admin, b"one"), await created(admin, b"kept")
    await stage(admin, "/batch/two.txt", "two")
    text = f"id,file\n{first},/batch/two.txt\n{second},\n{UNKNOWN},\n{first},/no.txt\n"
    batch = f"{DOCUMENTS}/versions/batch"
    await admin.put(f"{DOCUMENTS}/{first}", data={"external_id__v": "V-1"})
    made = await admin.post(batch, data=text, headers={"Content-Type": "text/csv"})
    assert statuses(made) == ["SUCCESS", "SUCCESS", "FAILURE", "FAILURE"]
    number = {"major_version_number__v": 0, "minor_version_number__v": 2}
    named = {"responseStatus": "SUCCESS", "id": first, "external_id__v": "V-1"}
    assert made.data[0] == {**named, **number}
    assert made.data[1]["external_id__v"] is None
    assert all("external_id__v" not in row for row in made.data[2:])
    assert (await download(admin, f"{DOCUMENTS}/{first}/file"))[2] == b"two"
    assert (await download(admin, f"{DOCUMENTS}/{second}/file"))[2] == b"kept"
    rows = [{"id": first, **number}, {"id": second}, {"id": second, "colour": "red"}]
    gone = await admin.delete(batch, json=rows)
    assert gone.data[0] == {**named, **number}
    assert errors(gone) == ["PARAMETER_REQUIRED", "ATTRIBUTE_NOT_SUPPORTED"]
    assert (await document(admin, first))["minor_version_number__v"] == 1


async def test_renditions_are_added_and_deleted(admin: Api) -> None:
    document_id = await created(admin, b"one")
    await admin.post(f"{DOCUMENTS}/{document_id}", data=form(b"two"))
    await stage(admin, "/batch/view.pdf", "view")
    file = {"file": "/batch/view.pdf", "rendition_type__v": RENDITION}
    earlier = {"major_version_number__v": 0, "minor_version_number__v": 1}
    batch = f"{DOCUMENTS}/renditions/batch"
    rows: list[dict[str, Any]] = [
        {"id": document_id, **file},
        {"id": document_id, **file, **earlier},
        {"id": document_id, **file},
        {"id": document_id, **file, "rendition_type__v": "nothing__c"},
        {"id": document_id, "rendition_type__v": RENDITION},
        {"id": document_id, **file, "major_version_number__v": 0},
    ]
    external_id = {"external_id__v": "R-1"}
    await admin.put(f"{DOCUMENTS}/{document_id}", data=external_id)
    made = await admin.post(batch, json=rows)
    added = {"responseStatus": "SUCCESS", "id": document_id, **external_id}
    assert made.data[:2] == [
        {**added, "rendition_type__v": RENDITION},
        {**added, **earlier, "rendition_type__v": RENDITION},
    ]
    assert errors(made) == [
        "OPERATION_NOT_ALLOWED",
        "INVALID_DATA",
        "PARAMETER_REQUIRED",
        "INVALID_DATA",
    ]
    named = {"id": document_id, "rendition_type__v": RENDITION}
    gone = await admin.delete(batch, json=[{**named, **earlier}, {**named, **earlier}])
    assert statuses(gone) == ["SUCCESS", "FAILURE"]
    assert gone.data[0] == made.data[1]
    own = f"{DOCUMENTS}/{document_id}"
    assert (await user_renditions(admin, own)) == [RENDITION]
    assert (await user_renditions(admin, f"{own}/versions/0/1")) == []


async def user_renditions(client: Api, own: str) -> list[str]:
    return list((await client.get(f"{own}/renditions")).body["renditions"])


async def test_documents_get_other_types(admin: Api, user: Api) -> None:
    document_id = await created(user)
    own = f"{DOCUMENTS}/{document_id}"
    levels = {"type__v": "promotion__c", "subtype__v": "leaflet__c"}
    sent = {**levels, "reclassify": "true", "lifecycle__v": "content_lifecycle__v"}
    assert (await user.put(own, data={**sent, "title__v": "New"})).status == "SUCCESS"
    shown = await document(user, document_id)
    assert (shown["type__v"], shown["subtype__v"]) == ("Promotion", "Leaflet")
    assert (shown["title__v"], shown["status__v"]) == ("New", "Draft")
    # Without the flag, a type is a field that cannot be changed.
    assert (await user.put(own, data={"type__v": "email_template__v"})).error
    rows = [
        {"id": document_id, "type__v": "promotion__c", "lifecycle__v": "short__c"},
        {"id": document_id, "type__v": "nothing__c"},
        {"id": document_id},
        {"id": UNKNOWN, "type__v": "promotion__c"},
    ]
    batch = f"{DOCUMENTS}/batch/actions/reclassify"
    answer = await user.put(batch, json=rows)
    assert errors(answer) == ["INVALID_DATA", "PARAMETER_REQUIRED", "INVALID_DATA"]
    assert answer.data[0] == {"responseStatus": "SUCCESS", "id": document_id}
    shown = await document(user, document_id)
    assert (shown["subtype__v"], shown["lifecycle__v"]) == (None, "Short")
    assert shown["status__v"] == "Only"
    await user.post(f"{own}/lock")
    assert (await user.put(own, data=sent)).error == "OPERATION_NOT_ALLOWED"


async def test_an_action_runs_on_many_documents_in_one_state(user: Api) -> None:
    ids = [await created(user), await created(user)]
    named = ",".join(f"{each}:0:1" for each in ids)
    actions = f"{DOCUMENTS}/lifecycle_actions"
    listed = await user.post(actions, data={"docIds": named})
    (approve,) = listed.body["lifecycle_actions__v"]
    assert (approve["name__v"], approve["state__v"]) == ("approve__v", "draft__v")
    form = {"lifecycle": "content_lifecycle__v", "state": "draft__v"}
    third = await created(user)
    await run(user, third, "0/1", "approve__v")
    mixed = {**form, "docIds": f"{named},{third}:1:0"}
    refused = await user.put(f"{actions}/approve__v", data=mixed)
    assert refused.error == "INVALID_DATA"
    assert (await document(user, ids[0]))["status__v"] == "Draft"
    done = await user.put(f"{actions}/approve__v", data={**form, "docIds": named})
    assert done.status == "SUCCESS"
    for each in ids:
        assert (await document(user, each))["version_id"] == f"{each}_1_0"


@pytest.mark.parametrize("ids", ["", "5", "5:0", "5:0:1:2", "a:0:1", f"{UNKNOWN}:0:1"])
async def test_what_names_no_version_is_refused(user: Api, ids: str) -> None:
    fields = {"docIds": ids, "lifecycle": "content_lifecycle__v", "state": "draft__v"}
    error = "INVALID_DATA" if ids else "PARAMETER_REQUIRED"
    actions = f"{DOCUMENTS}/lifecycle_actions"
    assert (await user.post(actions, data=fields)).error == error
    assert (await user.put(f"{actions}/approve__v", data=fields)).error == error
