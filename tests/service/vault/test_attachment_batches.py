"""Files attached to many records by one call, described and deleted by rows."""

from __future__ import annotations

import pytest

from shared.vault.assembly.vault import Vault
from tests.service.vault import attaching
from tests.service.vault.attaching import FOLDERS, content, folder, listed, staged
from tests.service.vault.served import Api

object_with_attachments = attaching.object_with_attachments


async def test_files_are_attached_to_many_records(
    integration: Api, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = await folder(integration), await folder(integration)
    key = (await integration.get(f"{FOLDERS}/{two}")).data["key__c"]
    await staged(integration, "/attached/a.txt", b"a")
    await staged(integration, "/attached/b.txt", b"b")
    rows = [
        {
            "id": one,
            "filename__v": "a.txt",
            "file": "/attached/a.txt",
            "external_id__v": f"X-{one}",
        },
        {
            "id": one,
            "filename__v": "a.txt",
            "file": "/attached/b.txt",
            "description__v": "second",
        },
        {"id": "none", "filename__v": "a.txt", "file": "/attached/a.txt"},
        {"id": two, "filename__v": "a.txt", "file": "/attached/none.txt"},
        {
            "id": two,
            "filename__v": "a.txt",
            "file": "/attached/a.txt",
            "external_id__v": f"X-{one}",
        },
        {"id": two, "file": "/attached/a.txt"},
        {"id": two, "filename__v": "a.txt", "file": "/attached/a.txt", "size__v": 1},
        {"id": two, "filename__v": "..", "file": "/attached/a.txt"},
    ]
    answer = await integration.post(f"{FOLDERS}/attachments/batch", json=rows)
    attachment_id = answer.data[0]["id"]
    assert answer.data[:2] == [
        {"responseStatus": "SUCCESS", "id": attachment_id, "version": 1},
        {"responseStatus": "SUCCESS", "id": attachment_id, "version": 2},
    ]
    assert [row["errors"][0]["type"] for row in answer.data[2:]] == [
        "INVALID_DATA",
        "INVALID_DATA",
        "INVALID_DATA",
        "PARAMETER_REQUIRED",
        "ATTRIBUTE_NOT_SUPPORTED",
        "INVALID_DATA",
    ]
    (shown,) = await listed(integration, one)
    assert (shown["external_id__v"], shown["description__v"], shown["version__v"]) == (
        f"X-{one}",
        "second",
        2,
    )
    csv = f"key__c,filename__v,file\n{key},b.txt,/attached/b.txt\n{key},c.txt,/attached/b.txt\n"
    by_key = await integration.post(
        f"{FOLDERS}/attachments/batch?idParam=key__c",
        data=csv,
        headers={"Content-Type": "text/csv"},
    )
    assert [row["responseStatus"] for row in by_key.data] == ["SUCCESS", "WARNING"]
    assert by_key.data[1]["id"] == by_key.data[0]["id"]
    assert (
        await content(
            integration, f"{FOLDERS}/{two}/attachments/{by_key.data[0]['id']}/file"
        )
        == b"b"
    )
    monkeypatch.setattr(vault.attachment_batches, "max_file", 0)
    refused = await integration.post(f"{FOLDERS}/attachments/batch", json=rows[:1])
    assert refused.data[0]["errors"][0]["type"] == "EXCEEDS_FILE_MAX_SIZE"


async def test_many_attachments_are_described_and_deleted(admin: Api) -> None:
    one, two = await folder(admin), await folder(admin)
    await staged(admin, "/many.txt", b"many")
    rows = [
        {
            "id": each,
            "filename__v": "m.txt",
            "file": "/many.txt",
            "external_id__v": f"M-{each}",
        }
        for each in (one, two)
    ]
    first, second = [
        row["id"]
        for row in (await admin.post(f"{FOLDERS}/attachments/batch", json=rows)).data
    ]
    changes = [
        {"id": one, "attachment_id": first, "description__v": "described"},
        {"id": one, "attachment_id": first, "description__v": "again"},
        {"id": one, "attachment_id": second, "description__v": "not its own"},
        {"id": one, "attachment_id": "x", "description__v": "no id"},
        {"id": one, "attachment_id": second},
        {"attachment_id": second, "description__v": "no record"},
    ]
    answer = await admin.put(f"{FOLDERS}/attachments/batch", json=changes)
    assert answer.data[0] == {"responseStatus": "SUCCESS", "id": first, "version": 1}
    assert [row["errors"][0]["type"] for row in answer.data[1:]] == [
        *["INVALID_DATA"] * 3,
        *["PARAMETER_REQUIRED"] * 2,
    ]
    assert (await listed(admin, one))[0]["description__v"] == "described"
    by_external = [{"external_id__v": f"M-{two}", "description__v": "by external id"}]
    path = f"{FOLDERS}/attachments/batch?idParam=external_id__v"
    assert (await admin.put(path, json=by_external)).data[0]["id"] == second
    assert (await listed(admin, two))[0]["description__v"] == "by external id"
    assert (
        await admin.put(f"{FOLDERS}/attachments/batch?idParam=key__c", json=changes)
    ).error == "INVALID_DATA"
    gone = await admin.delete(
        f"{FOLDERS}/attachments/batch", json=[{"id": one, "attachment_id": first}]
    )
    assert gone.data == [{"responseStatus": "SUCCESS", "id": first}]
    gone = await admin.delete(
        path, json=[{"external_id__v": f"M-{two}"}, {"external_id__v": "none"}]
    )
    assert [row["responseStatus"] for row in gone.data] == ["SUCCESS", "FAILURE"]
    assert [await listed(admin, each) for each in (one, two)] == [[], []]
